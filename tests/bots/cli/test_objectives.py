"""Whoever reads only the last line learns why a run failed."""

from dataclasses import replace

import pytest
import typer

from bots.cli.ending import NOT_OK
from bots.cli.objectives import end
from bots.count.document import HELD, NOT_CHECKED, VIOLATED, InvariantVerdict, Sighting
from tests.bots.report.sample import document

HELD_ROW = InvariantVerdict("once", HELD, 1)


@pytest.mark.parametrize(
    ("proof", "seen", "reason"),
    [
        ([HELD_ROW, InvariantVerdict("kept", VIOLATED, 1, ("player 7",))], 0, "not proved: violated: kept"),
        ([HELD_ROW], 0, "not proved: never seen: a resume"),
        (
            [InvariantVerdict("the proof was carried out", NOT_CHECKED, 0, ("the habit mine failed",))],
            1,
            "not proved: the habit mine failed",
        ),
    ],
)
def test_a_run_that_isnt_proved_says_why_in_a_line(
    proof: list[InvariantVerdict], seen: int, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    made = replace(document(5), proof=proof, sometimes=[Sighting("a resume", seen, expected=True)])
    with pytest.raises(typer.Exit) as ended:
        end(made, [], ok=False, errors=0)
    assert (ended.value.exit_code, capsys.readouterr().err) == (NOT_OK, f"bots: {reason}\n")
