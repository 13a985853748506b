"""An objective says exactly what it means, or why it doesn't."""

import pytest

from bots.count import slo
from bots.count.slo import BadObjectiveError
from bots.count.tally import GAVE_UP
from tests.bots.count.documents import counted

COUNTS = counted(hunt=[0.010] * 98 + [0.5, 0.6], rest=[0.004], read=[2.0])
COUNTS.of("hunt").errors[GAVE_UP] += 1
COUNTS.of("hunt").errors["timeout"] += 50
COUNTS.of("hunt").unsent += 1


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("hunt p50 < 11ms", True),
        ("hunt p50 < 9.9ms", False),
        ("hunt service p50<6ms", True),
        ("act p99 < 0.51s", True),
        ("act p99 < 400 ms", False),
        ("act max < 1s", True),
        ("all max < 1s", False),
        ("read p99.9 > 1000ms", True),
        ("rest mean < 4100us", True),
        ("act rate > 10/s", True),
        ("act rate > 10.2", False),
        ("hunt errors < 2%", True),
        ("hunt errors < 0.0195", False),
        ("dance p99 < 1s", False),
    ],
)
def test_an_objective_is_kept_or_missed(text: str, *, kept: bool) -> None:
    verdict = slo.check(slo.parse(text), COUNTS, 10.0)
    assert (verdict.kept, "MISSED" in verdict.sentence()) == (kept, not kept)


@pytest.mark.parametrize(
    "text",
    ["", "act", "act p99", "act p99 < 50", "act p99 < 5%", "act p99 = 5ms", "act p999 < 5ms", "act rate < 5ms",
     "act service rate > 5", "act errors < 5/s", "act p99 < 50ms please"],
)  # fmt: skip
def test_what_is_no_objective_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(BadObjectiveError) as refusal:
        slo.parse(text)
    assert "\n" not in str(refusal.value)
