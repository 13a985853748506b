"""The console's files: what they are served as, what browsers may do with them, and where they came from."""

import gzip
import hashlib
import re
from pathlib import Path

from aiohttp import ClientSession

from gameserver.config.settings import Settings
from gameserver.transport.console import pages
from tests.support.nodes import InProcessNode

STATIC = Path(pages.__file__).parent / "static"
LARGEST = 100_000
"""Bytes of all that a first visit loads, compressed."""


def test_the_vendored_files_are_those_that_their_packages_have() -> None:
    sums = dict(line.split()[::-1] for line in (STATIC / "vendor" / "SHA256SUMS").read_text().splitlines())
    found = {path.name: path for path in (STATIC / "vendor").iterdir() if path.suffix in pages.SERVED}
    assert sums.keys() == found.keys()
    assert sums == {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in found.items()}


def test_nothing_is_fetched_from_elsewhere_and_every_module_is_there() -> None:
    for path in STATIC.rglob("*"):
        if path.suffix not in (".js", ".css", ".html", ".svg") or path.parent.name == "vendor":
            continue
        text = path.read_text("utf-8")
        assert not [url for url in re.findall(r"https?://[^\s'\"]+", text) if "www.w3.org" not in url], path
        assert "innerHTML" not in text, path
        for target in re.findall(r"(?:\bfrom |\bimport\()'([^'\s]+)'", text):
            there = STATIC / target.removeprefix("/console/") if target.startswith("/") else path.parent / target
            assert there.resolve().is_file(), (path, target)


async def test_a_browser_may_run_nothing_but_these_files_and_a_first_visit_is_small(node: InProcessNode) -> None:
    async with ClientSession(node.url, auto_decompress=False) as session:
        loaded = 0
        for path in ("", "/", "/players", "/player/12", "/app.js", "/style.css", "/lib/api.js", "/views/players.js"):
            async with session.get(f"/console{path}", headers={"Accept-Encoding": "gzip"}) as answer:
                assert answer.status == 200, path
                policy = answer.headers["Content-Security-Policy"].split("; ")
                assert "default-src 'none'" in policy
                assert "script-src 'self'" in policy
                assert "frame-ancestors 'none'" in policy
                assert "unsafe" not in answer.headers["Content-Security-Policy"]
                assert "data:" not in answer.headers["Content-Security-Policy"]
                assert answer.headers["Cache-Control"] == "no-cache"
                etag = answer.headers["ETag"]
                assert gzip.decompress(await answer.read())
            for known in (etag, f"W/{etag}", f'"another", W/{etag}', "*"):
                async with session.get(f"/console{path}", headers={"If-None-Match": known}) as answer:
                    assert (answer.status, await answer.read()) == (304, b""), known
            for taken, coding in (("gzip;q=0", None), ("*;q=0.5, gzip;q=0", None), ("GZIP", "gzip"), ("*", "gzip")):
                async with session.get(f"/console{path}", headers={"Accept-Encoding": taken}) as answer:
                    assert answer.headers.get("Content-Encoding") == coding, taken
        for file in (file for file in STATIC.rglob("*") if file.suffix in pages.SERVED and "uplot" not in file.name):
            path = f"/{file.relative_to(STATIC)}"
            async with session.get(f"/console{path}", headers={"Accept-Encoding": "gzip"}) as answer:
                assert answer.status == 200, path
                loaded += len(await answer.read())
        assert loaded < LARGEST
        async with session.get("/console/vendor/uplot-1.6.32.js") as answer:
            assert "immutable" in answer.headers["Cache-Control"]
        for path in (
            "nothing.js",
            "../pages.py",
            "%2e%2e/pages.py",
            "vendor/SHA256SUMS",
            "index.html/..%2f..%2fpages.py",
        ):
            async with session.get(f"/console/{path}", headers={"Accept-Encoding": "identity"}) as answer:
                assert answer.status == 404 or b"<!doctype html>" in await answer.read(), path
        async with session.post("/console/players") as answer:
            assert answer.status == 405


def test_a_name_of_the_settings_is_text_in_the_page(settings: Settings) -> None:
    console = pages.ConsolePages("production", '"><script>alert(1)</script>')
    content = console._files[pages.INDEX].content.decode()
    assert "<script>alert" not in content
    assert 'data-environment="production"' in content
