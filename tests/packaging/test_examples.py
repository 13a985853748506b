"""The Python examples of the README and the documentation pass the repository's own gate."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.repository import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "gameserver/cli/new_game/README.md"]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXAMPLES = {
    f"{page.stem.lower().replace('-', '_')}_{number}": block
    for page in PAGES
    for number, block in enumerate(BLOCK.findall(page.read_text("utf-8")), 1)
}


def test_there_are_examples() -> None:
    assert {name.rsplit("_", 1)[0] for name in EXAMPLES} >= {"readme", "mail", "items"}


@pytest.mark.parametrize(
    "gate",
    [
        ["ruff", "check", "--no-cache", f"--config={ROOT / 'pyproject.toml'}", "--ignore=INP001,T201"],
        ["ruff", "format", "--no-cache", "--check", "--diff", f"--config={ROOT / 'pyproject.toml'}"],
        ["mypy", "--strict", f"--config-file={ROOT / 'pyproject.toml'}"],
    ],
    ids=lambda gate: " ".join(gate[:2]),
)
def test_the_examples_pass(tmp_path: Path, gate: list[str]) -> None:
    for name, block in EXAMPLES.items():
        (tmp_path / f"{name}.py").write_text(f'"""An example."""\n\n{block}', "utf-8")
    files = sorted(map(str, tmp_path.glob("*.py")))
    done = subprocess.run([sys.executable, "-m", *gate, *files], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
