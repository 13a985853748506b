"""What a studio is told to type first works as it stands, on a node of the game that it was given."""

import asyncio
import re
from pathlib import Path

import pytest

from gameserver.config.settings import Settings
from tests.support.nodes import node_process
from tests.support.repository import ROOT

BLOCK = re.compile(r"^```(?:sh)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = {"new_game": ROOT / "gameserver/cli/new_game/README.md", "readme": ROOT / "README.md"}


def steps(page: Path) -> str:
    """The first block of a page that plays with curl."""
    blocks: list[str] = BLOCK.findall(page.read_text("utf-8"))
    return next(block for block in blocks if "curl -s $URL/v1/players" in block)


@pytest.mark.parametrize("page", PAGES)
async def test_the_first_steps_of_a_page_are_answered_with_success(
    settings: Settings, tmp_path: Path, page: str
) -> None:
    (tmp_path / "rules.py").write_bytes((ROOT / "gameserver/cli/new_game/rules.py").read_bytes())
    game = tmp_path / "game.toml"
    text = settings.game.read_text("utf-8")
    game.write_text(text.replace("[actions]\n", '[actions]\npray = "rules:pray"\n'), "utf-8")
    node = node_process(settings.model_copy(update={"game": game}), tmp_path, "node-1")
    await node.start()
    try:
        script = re.sub(r"^URL=.*$", f"URL={node.address}", steps(PAGES[page]), flags=re.MULTILINE)
        # A board hears of a player a moment later: until then it answers 404.
        strict = script.replace("curl -s ", "curl -sS --fail-with-body --retry 15 --retry-delay 1 --retry-all-errors ")
        bash = await asyncio.create_subprocess_exec(
            "bash", "-euo", "pipefail", "-c", strict, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        output, problems = await asyncio.wait_for(bash.communicate(), 60)
    finally:
        await node.stop()
    assert bash.returncode == 0, (output.decode(), problems.decode())
    assert output.decode().count('"exp":') >= script.count("curl") - 1, output.decode()
