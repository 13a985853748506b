"""A plan says what is run, and every fault in it is one sentence before anything runs."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from bots.play import plan_file
from bots.play.plan import MixRow, RateStep, Seat, Storm, SwarmPlan
from bots.play.plan_file import BadRunPlanError

DEFAULTS = SwarmPlan(200, 30.0, 0.5, 5.0, 1, "bot")
WHOLE = """
players = 60
seconds = 20
warm_up = 2
seed = 9
sockets = 0.8

[mix]
grinder = 4
lurker = { share = 1, sockets = 0 }

[[arrivals]]
seconds = 5
rate = 10
[[arrivals]]
rate = 10
to = 100

[[storms]]
kind = "sign_up"
at = 5
seconds = 2
rate = 30
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "plan.toml"
    file.write_text(text, "utf-8")
    return file


def test_a_whole_plan_is_read(tmp_path: Path) -> None:
    plan, found = plan_file.read(written(tmp_path, WHOLE), {}, DEFAULTS)
    assert plan == SwarmPlan(
        60, 20.0, 0.8, 5.0, 9, "bot", 2.0,
        mix=(MixRow("grinder", 4.0), MixRow("lurker", 1.0, 0.0)),
        arrivals=(RateStep(5, 10), RateStep(0, 10, 100)),
        storms=(Storm("sign_up", 5, 2, 30),),
    )  # fmt: skip
    assert found["players"] == 60
    assert Counter(plan.seats()) == {Seat(0, True): 38, Seat(0, False): 10, Seat(1, False): 12}


def test_what_is_given_on_the_command_line_goes_before_the_plan(tmp_path: Path) -> None:
    plan, found = plan_file.read(written(tmp_path, WHOLE), {"rate": 2.0, "players": 7}, DEFAULTS)
    assert (plan.rate, plan.arrivals, plan.players) == (2.0, (), 7)
    assert "arrivals" not in found


def test_parts_share_players_and_rates(tmp_path: Path) -> None:
    plan, _ = plan_file.read(written(tmp_path, WHOLE), {"players": 7}, DEFAULTS)
    parts = [plan.part(number, 3) for number in range(3)]
    assert [part.players for part in parts] == [3, 2, 2]
    assert sum(step.expected() for part in parts for step in part.steps()) == pytest.approx(
        sum(step.expected() for step in plan.steps())
    )
    assert len({part.seed for part in parts}) == 3


@pytest.mark.parametrize("parts", [1, 2, 4, 7])
def test_parts_have_together_the_players_of_the_whole_rare_habits_and_sockets_among_them(parts: int) -> None:
    mix = (MixRow("grinder", 17), MixRow("lurker", 1, 1.0), MixRow("healer", 2, 0.0))
    plan = replace(DEFAULTS, players=20, mix=mix)
    dealt = [plan.part(number, parts) for number in range(parts)]
    assert sum((Counter(part.seats()) for part in dealt), Counter()) == Counter(plan.seats())
    assert {Seat(0, True), Seat(0, False), Seat(1, True), Seat(2, False)} == {*plan.seats()}
    assert [len(part.seats()) for part in dealt] == [part.players for part in dealt]
    assert max(part.players for part in dealt) - min(part.players for part in dealt) <= 1
    sockets = [sum(seat.on_socket for seat in part.seats()) for part in dealt]
    assert max(sockets) - min(sockets) <= 2, "no generator has all the sockets"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("players = 0", "`players` is a whole number from 1"),
        ("players = 10.5", "`players` is a whole number"),
        ("seed = 1.5", "`seed` is a whole number"),
        ("seed = -1", "`seed` is a whole number from 0"),
        ("rate = nan", "`rate`"),
        ("seconds = inf", "`seconds`"),
        ("seconds = 5\nwarm_up = 4.5", "warm-up"),
        ("players = 2\n[mix]\ngrinder = 9\nlurker = 1", "no one of 2 players has the habit lurker"),
        ("[mix]\ngrinder = 1\ngrinder = 2", "isn't TOML"),
        ("players = true", "`players`"),
        ("seconds = 'ten'", "`seconds`"),
        ("speed = 3", "'speed'"),
        ("seconds = 5\nwarm_up = 5", "warm-up"),
        ("rate = 1\n[[arrivals]]\nrate = 5", "`rate`"),
        ("[[arrivals]]\nrate = 5\n[[arrivals]]\nrate = 6", "arrivals 1: `seconds` is missing"),
        ("[[arrivals]]\nseconds = 5", "`rate` is missing"),
        ("seconds = 5\n[[arrivals]]\nseconds = 9\nrate = 5", "arrivals last 9 s and the run 5 s"),
        ("arrivals = 5", r"\[\[arrivals\]\]"),
        ("[[arrivals]]\nseconds = -1\nrate = 5", "arrivals 1: `seconds`"),
        ("mix = 3", "`mix` is a table"),
        ("[mix]\ndragon = 1", "no habit 'dragon'"),
        ("[mix]\ngrinder = -1", "mix.grinder"),
        ("[mix]\n'no.such.module:habit' = 1", "can't be loaded"),
        ("[mix]\n'math:pi' = 1", "isn't a function"),
        ("[mix]\n'os:getpid' = 1", "isn't a plain function of one Situation"),
        ("[mix]\n'asyncio:sleep' = 1", "isn't a plain function of one Situation"),
        ("[[storms]]\nkind = 'rain'\nat = 1\nrate = 1", "`kind` is one of"),
        (
            "seconds = 10\n[[storms]]\nkind = 'sign_in'\nat = 9\nseconds = 5\nrate = 1",
            "ends after 14 s, the run after 10 s",
        ),
        ("[[storms]]\nkind = 'sign_in'\nrate = 1", "`at` is missing"),
        ("sockets = 0\n[[storms]]\nkind = 'reconnect'\nat = 1\nrate = 1", "needs players on sockets"),
        ("players = ", "isn't TOML"),
    ],
)
def test_a_faulty_plan_is_refused_in_one_sentence(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(BadRunPlanError, match=reason) as refusal:
        plan_file.read(written(tmp_path, text), {}, DEFAULTS)
    assert "\n" not in str(refusal.value) or "TOML" in reason


def test_a_plan_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadRunPlanError, match=r"nowhere\.toml can't be read"):
        plan_file.read(tmp_path / "nowhere.toml", {}, DEFAULTS)


@pytest.mark.parametrize("text", ["grinder=", "grinder=much", "=3x"])
def test_a_faulty_mix_is_refused(text: str) -> None:
    with pytest.raises(BadRunPlanError, match="habit and its share"):
        plan_file.mix_from_words(text)


@pytest.mark.parametrize("text", ["grinder,grinder", "grinder=1, lurker=2, grinder=3"])
def test_a_mix_that_names_a_habit_twice_is_refused(text: str) -> None:
    with pytest.raises(BadRunPlanError, match="names grinder twice"):
        plan_file.mix_from_words(text)


def test_a_mix_is_read_from_words() -> None:
    assert plan_file.mix_from_words("grinder=3, lurker,my.habits:one=0.5") == {
        "grinder": 3.0, "lurker": 1.0, "my.habits:one": 0.5,
    }  # fmt: skip
