"""Schemathesis sends what the OpenAPI document allows and what it doesn't; every answer is one that it promises.

Among what it asks, nothing that the document forbids is accepted. A part goes through HAProxy, as `up` renders it: what
HAProxy answers itself must be in the document, too, and a 502 is a fault like any other 5xx.
"""

import asyncio
import os
import sys
from collections.abc import Collection
from pathlib import Path

import pytest

from gameserver.transport.routes import ROUTES
from tests.fuzz.fuzzed import DURATION, SEED, FuzzedNode
from tests.fuzz.throwaway import ADDRESS
from tests.support.client import ADMIN_KEY, Api
from tests.support.repository import ROOT

CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,ignored_auth,"
    "negative_data_rejection,unsupported_method"
)
"""`use_after_free` is left out: it judges chains of requests only, which this document has no links for."""
OPTIONS = (
    "--no-color", "--request-timeout", "10", "--suppress-health-check", "all",
    "--warnings", "off", "--continue-on-failure",
)  # fmt: skip
CONFIG = Path(__file__).with_name("schemathesis.toml")
ENDS_SESSIONS = (
    "delete_me",
    "sign_out",
    "sign_out_elsewhere",
    "sign_out_everywhere",
    "change_password",
    "remove_device",
)
"""Operations that would end the session of the others: each request of them has a player of its own.

Those whose path names a session or a device get beyond the key, and find none of that name."""
MOVES_PLAYERS = ("order_moves", "drain_database")
"""Orders after which others are told, rightly, that players are being moved: they have a node of their own."""
EVERY_PHASE = "examples,coverage,fuzzing"
SEEDED = ("--seed", "1", "--generation-deterministic", "--max-examples", "2")


async def _fuzz(url: str, folder: Path, *options: str, hooks: str = "") -> bytes:
    """Runs schemathesis against this address; returns its report, and shows it if it finds a fault."""
    argv = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG), "run", f"{url}/openapi.json"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), ADDRESS: url}
    process = await asyncio.create_subprocess_exec(
        *argv,
        "--checks",
        CHECKS,
        *OPTIONS,
        "--phases",
        EVERY_PHASE,
        *options,
        cwd=folder,
        env=environment | ({"SCHEMATHESIS_HOOKS": hooks} if hooks else {}),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    report, _ = await process.communicate()
    (folder / "schemathesis.txt").write_bytes(report)
    assert process.returncode == 0, report.decode(errors="replace")[-8000:]
    return report


def _operations(option: str, names: Collection[str]) -> list[str]:
    return [word for name in names for word in (f"--{option}-operation-id", name)]


def _player(node: FuzzedNode) -> list[str]:
    key = ["-H", f"Authorization: Bearer {node.player.token}"]
    return [*key, "--include-path-regex", "^/v1", *_operations("exclude", ENDS_SESSIONS)]


def _operator() -> list[str]:
    key = ["-H", f"Authorization: Bearer {ADMIN_KEY}"]
    return [*key, "--include-path-regex", "^/admin", *_operations("exclude", MOVES_PLAYERS)]


def _mover() -> list[str]:
    return ["-H", f"Authorization: Bearer {ADMIN_KEY}", *_operations("include", MOVES_PLAYERS)]


NOBODY = ["--include-path-regex", "^/(v1|admin)"]


async def test_every_answer_to_a_player_through_haproxy_is_one_that_the_document_promises(
    fuzzed: FuzzedNode, tmp_path: Path
) -> None:
    async with fuzzed.behind_haproxy(tmp_path) as proxy:
        await _fuzz(proxy.url, tmp_path, *SEEDED, *_player(fuzzed))
    await fuzzed.assert_well()


# An operation is asked without a key by all others, too (ignored_auth): for `make test` that is enough.
@pytest.mark.soak
async def test_every_answer_to_nobody_through_haproxy_is_one_that_the_document_promises(
    fuzzed: FuzzedNode, tmp_path: Path
) -> None:
    async with fuzzed.behind_haproxy(tmp_path) as proxy:
        await _fuzz(proxy.operators_url, tmp_path, *SEEDED, *NOBODY)
    await fuzzed.assert_well()


async def test_every_answer_to_an_operator_is_one_that_the_document_promises(
    fuzzed: FuzzedNode, tmp_path: Path
) -> None:
    await _fuzz(fuzzed.url, tmp_path, *SEEDED, *_operator())
    await fuzzed.assert_well()


async def test_every_answer_to_players_who_leave_and_to_orders_of_moves_is_one_that_the_document_promises(
    fuzzed: FuzzedNode, tmp_path: Path
) -> None:
    leaving = _operations("include", ENDS_SESSIONS)
    await _fuzz(fuzzed.url, tmp_path, *SEEDED, *leaving, hooks="tests.fuzz.throwaway")
    await _fuzz(fuzzed.url, tmp_path, *SEEDED, *_mover())
    async with Api(fuzzed.url) as api:
        lines = (await api.ask("GET", "/metrics")).body.decode().splitlines()
    for route in ROUTES:
        if route.name in (*ENDS_SESSIONS, *MOVES_PLAYERS):
            asked = f'method="{route.method}",route="{route.path}"'
            statuses = {line.split('status="')[1][:3] for line in lines if asked in line and 'status="' in line}
            wanted = statuses - {"401", "403"} if "{" in route.path else {str(route.terms.status)} & statuses
            assert wanted, (route.name, statuses)
    await fuzzed.assert_well()


@pytest.mark.soak
@pytest.mark.timeout(0)
async def test_every_answer_is_one_that_the_document_promises_for_long(
    fuzzed: FuzzedNode, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    long = ("--generation-database", "none", "--seed", str(SEED), "--max-time", str(max(1, int(DURATION / 4))))
    async with fuzzed.behind_haproxy(tmp_path) as proxy:
        for url, options in ((proxy.url, _player(fuzzed)), (proxy.operators_url, _operator())):
            report = await _fuzz(url, tmp_path, *long, *options)
            await fuzzed.assert_well()
            with capsys.disabled():
                print(f"\n{report.decode(errors='replace')[-600:]}")  # noqa: T201
