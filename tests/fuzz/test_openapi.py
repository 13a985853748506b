"""Schemathesis sends what the OpenAPI document allows and what it doesn't; every answer is one that it promises."""

import asyncio
import sys
from pathlib import Path

import pytest

from tests.fuzz.fuzzed import DURATION, SEED, FuzzedNode
from tests.support.client import ADMIN_KEY

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,ignored_auth"
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
"""Operations that would end the session of the others."""
MOVES_PLAYERS = ("order_moves", "drain_database")
"""Orders after which the others are told, rightly, that players are being moved."""


EVERY_PHASE = "examples,coverage,fuzzing"


async def _fuzz(node: FuzzedNode, folder: Path, *options: str, phases: str = EVERY_PHASE) -> None:
    """Runs schemathesis and shows its report if it finds a fault."""
    argv = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG), "run", f"{node.url}/openapi.json"]
    process = await asyncio.create_subprocess_exec(
        *argv,
        "--checks",
        CHECKS,
        *OPTIONS,
        "--phases",
        phases,
        *options,
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    report, _ = await process.communicate()
    (folder / "schemathesis.txt").write_bytes(report)
    assert process.returncode == 0, report.decode(errors="replace")[-8000:]


def _player(node: FuzzedNode) -> list[str]:
    excluded = [option for name in ENDS_SESSIONS for option in ("--exclude-operation-id", name)]
    return ["-H", f"Authorization: Bearer {node.player.token}", "--exclude-path-regex", "^/(admin|metrics)", *excluded]


def _operator() -> list[str]:
    excluded = [option for name in MOVES_PLAYERS for option in ("--exclude-operation-id", name)]
    return ["-H", f"Authorization: Bearer {ADMIN_KEY}", "--include-path-regex", "^/admin", *excluded]


@pytest.mark.parametrize(
    ("who", "phases"),
    [
        pytest.param("player", EVERY_PHASE, id="player"),
        pytest.param("operator", EVERY_PHASE, id="operator"),
        # The two before ask each operation without a key, too (ignored_auth).
        pytest.param("nobody", "examples,fuzzing", id="nobody"),
        pytest.param("nobody", EVERY_PHASE, id="nobody, every phase", marks=pytest.mark.soak),
    ],
)
async def test_every_answer_is_one_that_the_document_promises(
    fuzzed: FuzzedNode, tmp_path: Path, who: str, phases: str
) -> None:
    options = {"player": _player(fuzzed), "operator": _operator(), "nobody": ["--include-path-regex", "^/(v1|admin)"]}
    seeded = ("--seed", "1", "--generation-deterministic", "--max-examples", "2")
    await _fuzz(fuzzed, tmp_path, *seeded, *options[who], phases=phases)
    await fuzzed.assert_well()


@pytest.mark.soak
@pytest.mark.timeout(0)
async def test_every_answer_is_one_that_the_document_promises_for_long(fuzzed: FuzzedNode, tmp_path: Path) -> None:
    for options in (_player(fuzzed), _operator()):
        await _fuzz(
            fuzzed,
            tmp_path,
            "--generation-database",
            "none",
            "--seed",
            str(SEED),
            "--max-time",
            str(int(DURATION / 4)),
            *options,
        )
        await fuzzed.assert_well()
