"""The console's files, read once and compressed once.

Law: the page and its scripts come from this node alone, and a browser runs nothing else there: the policy admits no
inline script or style and no other origin. Nothing in these files is secret; what they show comes from /admin/v1, with
the key of whoever asks. A vendored file carries its version in its name and is never asked for twice; of the others a
browser asks whether they have changed.
"""

import functools
import gzip
import hashlib
import html
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable

from aiohttp import hdrs, web

from gameserver.rules.errors import NotFound
from gameserver.transport.http.replies import is_known, takes_gzip

CONSOLE_PATHS = ("/console", "/console/{path:.*}")
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
FOR_EVER = "public, max-age=31536000, immutable"
ASK_FIRST = "no-cache"
INDEX = "index.html"
VENDORED = "vendor/"
SERVED = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    compressed: bytes
    content_type: str
    etag: str
    caching: str


class ConsolePages:
    """One per node; `environment` is what the settings call this deployment, `name` what it is named by."""

    def __init__(self, environment: str, name: str) -> None:
        self._files = {path: _file(path, content) for path, content in _read(resources.files(__package__) / "static")}
        page = self._files[INDEX].content.decode()
        for placeholder, value in (("{environment}", environment), ("{name}", name)):
            page = page.replace(placeholder, html.escape(value, quote=True))
        self._files[INDEX] = _file(INDEX, page.encode())

    async def read(self, request: web.Request) -> web.Response:
        """A file, or the page for the path of one of its views. Raises NotFound for a file that isn't there."""
        path = request.match_info.get("path", "")
        file = self._files.get(path)
        if file is None:
            if "." in path.rpartition("/")[2]:
                raise NotFound("There is no such file.")
            file = self._files[INDEX]
        return _answer(request, file)


def _answer(request: web.Request, file: _File) -> web.Response:
    headers: dict[str, str] = {
        hdrs.CACHE_CONTROL: file.caching,
        hdrs.ETAG: file.etag,
        hdrs.VARY: hdrs.ACCEPT_ENCODING,
        "Content-Security-Policy": POLICY,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
    if is_known(request, file.etag):
        return web.Response(status=304, headers=headers)
    body = file.content
    if takes_gzip(request):
        body, headers[hdrs.CONTENT_ENCODING] = file.compressed, "gzip"
    return web.Response(body=body, content_type=file.content_type, charset="utf-8", headers=headers)


def _read(folder: Traversable, prefix: str = "") -> list[tuple[str, bytes]]:
    """Every file that is served, by its path below the folder."""
    found: list[tuple[str, bytes]] = []
    for entry in folder.iterdir():
        if entry.is_dir():
            found += _read(entry, f"{prefix}{entry.name}/")
        elif f".{entry.name.rpartition('.')[2]}" in SERVED:
            found.append((prefix + entry.name, entry.read_bytes()))
    return found


@functools.cache
def _file(path: str, content: bytes) -> _File:
    content_type = SERVED[f".{path.rpartition('.')[2]}"]
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    caching = FOR_EVER if path.startswith(VENDORED) else ASK_FIRST
    return _File(content, gzip.compress(content, mtime=0), content_type, etag, caching)
