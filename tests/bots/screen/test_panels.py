"""The live screen fits the terminal, with errors and the generator on it."""

import pytest
from rich.console import Console

from bots.count.document import DurationSpread, GeneratorSecond, RunSecond
from bots.screen import panels
from bots.screen.view import View
from tests.bots.count.documents import counted

ACTIONS = tuple(f"action_{number}" for number in range(13))
SPREAD = DurationSpread(1, 2, 3)


def view() -> View:
    """One that shows all that a busy run has."""
    shown = View("bots run", 60, 0, "playing", 200, 7)
    counts = counted(**{name: [0.01] * 3 for name in ("hunt", *ACTIONS)})
    counts.of("hunt").errors.update({"cannot_connect": 7, "timeout": 2})
    counts.nodes.update({"node-1": 8, "node-2": 9})
    counts.databases.update({"one": 8, "two": 9})
    shown.take(RunSecond(0, counts))
    shown.generators = [GeneratorSecond(0, SPREAD, SPREAD, 0.5, 200, process) for process in range(2)]
    return shown


@pytest.mark.parametrize(("width", "height"), [(80, 24), (100, 30), (160, 50)])
def test_errors_nodes_databases_and_generators_are_on_the_screen_whatever_its_size(width: int, height: int) -> None:
    console = Console(width=width, height=height, force_terminal=True)
    with console.capture() as capture:
        console.print(panels.draw(view(), console))
    lines = capture.get().rstrip("\n").split("\n")
    assert len(lines) <= height
    for words in ("cannot_connect", "timeout", "node-2", "two", "late p99", "hunt", "Ctrl-C"):
        assert any(words in line for line in lines), words
    assert any("and " in line and " more" in line for line in lines) == (height < 50)
