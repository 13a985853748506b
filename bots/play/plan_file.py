"""Reads the plan of a run from TOML: what it sets replaces the defaults, and every fault is named before anything runs.

players = 1000
seconds = 120
warm_up = 5
sockets = 0.8

[mix]                                        # habits and their shares of the players
grinder = 6
lurker = { share = 3, sockets = 0 }
"my_habits:collector" = 1

[[arrivals]]                                 # the open model; without them `rate` actions/s of each player
seconds = 60
rate = 200                                   # operations a second of all players together
[[arrivals]]
seconds = 60
rate = 200
to = 2000                                    # in a straight line

[[storms]]
kind = "sign_up"                             # or sign_in, reconnect
at = 60
seconds = 10
rate = 100
"""

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bots.play import habits
from bots.play.habits import BadHabitError
from bots.play.plan import MixRow, RateStep, Seat, Storm, SwarmPlan

STORMS = ("sign_up", "sign_in", "reconnect")
FASTEST = 1_000_000.0
LONGEST = 7 * 24 * 3600.0
MOST_PLAYERS = 1_000_000


class BadRunPlanError(Exception):
    """The plan of a run can't be read or can't be carried out; the text is one sentence that says why."""


def read(file: Path | None, given: Mapping[str, Any], defaults: SwarmPlan) -> tuple[SwarmPlan, Mapping[str, Any]]:
    """Read a plan, of which `given` replaces parts, and return it also as TOML has it; raises BadRunPlanError."""
    found: Mapping[str, Any] = {} if file is None else _toml(file)
    other = {"rate": "arrivals", "arrivals": "rate"}
    replaced = {other[name] for name in given if name in other}
    found = {**{name: value for name, value in found.items() if name not in replaced}, **given}
    try:
        plan = parse(found, defaults)
        check(plan)
    except BadRunPlanError as error:
        raise BadRunPlanError(str(error) if file is None else f"the plan {file}: {error}") from None
    return plan, found


def _toml(file: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise BadRunPlanError(f"the plan {file} can't be read: {error.strerror}") from None
    except ValueError as error:
        raise BadRunPlanError(f"the plan {file} isn't TOML: {error}") from None


def parse(found: Mapping[str, Any], defaults: SwarmPlan) -> SwarmPlan:
    """Take the plan from parsed TOML; raises BadRunPlanError."""
    _known("the plan", found, "players", "seconds", "warm_up", "seed", "sockets", "rate", "mix", "arrivals", "storms")
    if "rate" in found and "arrivals" in found:
        raise BadRunPlanError("it has `rate`, of each player in the closed model, and [[arrivals]], the open model")
    return replace(
        defaults,
        players=_whole(found, "players", defaults.players, 1, MOST_PLAYERS),
        seconds=_number(found, "seconds", defaults.seconds, 0.1, LONGEST),
        warm_up=_number(found, "warm_up", defaults.warm_up, 0, LONGEST),
        seed=_whole(found, "seed", defaults.seed, 0, 2**53),
        sockets=_number(found, "sockets", defaults.sockets, 0, 1),
        rate=_number(found, "rate", defaults.rate, 0, FASTEST),
        mix=_mix(found["mix"]) if "mix" in found else defaults.mix,
        arrivals=_arrivals(_rows(found, "arrivals")) if "arrivals" in found else defaults.arrivals,
        storms=tuple(_storm(row) for row in _rows(found, "storms")),
    )


def mix_from_words(text: str) -> dict[str, float]:
    """Read a mix such as `grinder=3,lurker=1`; raises BadRunPlanError."""
    shares = {}
    for number, word in enumerate(text.split(",")):
        name, equals, share = word.strip().rpartition("=")
        try:
            shares[name if equals else share] = float(share) if equals else 1.0
        except ValueError:
            raise BadRunPlanError(f"the mix: {word.strip()!r} isn't a habit and its share such as grinder=3") from None
        if len(shares) == number:
            raise BadRunPlanError(f"the mix names {name or share} twice")
    return shares


def check(plan: SwarmPlan) -> None:
    """See whether a plan can be carried out; raises BadRunPlanError."""
    if math.ceil(plan.warm_up) >= plan.seconds:  # whole seconds are counted
        raise BadRunPlanError(f"the warm-up of {plan.warm_up:g} s leaves nothing of {plan.seconds:g} s to measure")
    lasting = sum(step.seconds for step in plan.arrivals)
    if lasting > plan.seconds + 1e-9 or (plan.arrivals and not plan.arrivals[-1].seconds and lasting >= plan.seconds):
        raise BadRunPlanError(f"the arrivals last {lasting:g} s and the run {plan.seconds:g} s")
    seats = plan.seats()
    _check_storms(plan, seats)
    played = {seat.row for seat in seats}
    for number, row in enumerate(plan.mix):
        try:
            habits.named(row.habit)
        except BadHabitError as error:
            raise BadRunPlanError(str(error)) from None
        if number not in played:
            raise BadRunPlanError(f"no one of {plan.players} players has the habit {row.habit}: its share is too small")


def _check_storms(plan: SwarmPlan, seats: Sequence[Seat]) -> None:
    for storm in plan.storms:
        ends = storm.at + storm.seconds
        if ends > plan.seconds + 1e-9:
            raise BadRunPlanError(f"the storm of {storm.kind} ends after {ends:g} s, the run after {plan.seconds:g} s")
        if storm.kind == "reconnect" and not any(seat.on_socket for seat in seats):
            raise BadRunPlanError("a storm of reconnect needs players on sockets: no player has one")


def _mix(found: Any) -> tuple[MixRow, ...]:
    if not isinstance(found, Mapping) or not found:
        raise BadRunPlanError("`mix` is a table of habits and their shares")
    rows = []
    for habit, row in found.items():
        table = row if isinstance(row, Mapping) else {"share": row}
        _known(f"mix.{habit}", table, "share", "sockets")
        sockets = _number(table, "sockets", -1, 0, 1, f"mix.{habit}")
        rows.append(
            MixRow(habit, _number(table, "share", 1, 1e-6, 1e6, f"mix.{habit}"), None if sockets < 0 else sockets)
        )
    return tuple(rows)


def _arrivals(rows: Sequence[Mapping[str, Any]]) -> tuple[RateStep, ...]:
    """Read the steps; the last one goes on to the end if it doesn't say how long it lasts."""
    if not rows:
        raise BadRunPlanError("[[arrivals]] need a `rate`")
    steps = []
    for number, row in enumerate(rows, 1):
        place = f"arrivals {number}"
        _known(place, row, "seconds", "rate", "to")
        for name in ("rate", *(("seconds",) if number < len(rows) else ())):
            if name not in row:
                raise BadRunPlanError(f"{place}: `{name}` is missing")
        to = _number(row, "to", -1, 0, FASTEST, place)
        steps.append(
            RateStep(
                _number(row, "seconds", 0, 0.001, LONGEST, place),
                _number(row, "rate", 0, 0, FASTEST, place),
                None if to < 0 else to,
            )
        )
    return tuple(steps)


def _storm(row: Mapping[str, Any]) -> Storm:
    _known("storms", row, "kind", "at", "seconds", "rate")
    if row.get("kind") not in STORMS:
        raise BadRunPlanError(f"storms: `kind` is one of {', '.join(STORMS)}, not {row.get('kind')!r}")
    for name in ("at", "rate"):
        if name not in row:
            raise BadRunPlanError(f"the storm of {row['kind']}: `{name}` is missing")
    at, rate = _number(row, "at", 0, 0, LONGEST, "storms"), _number(row, "rate", 0, 0.001, FASTEST, "storms")
    return Storm(row["kind"], at, _number(row, "seconds", 1, 0.001, LONGEST, "storms"), rate)


def _rows(found: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    rows = found.get(name, [])
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        raise BadRunPlanError(f"`{name}` is written as [[{name}]]")
    return rows


def _known(place: str, found: Mapping[str, Any], *names: str) -> None:
    if unknown := found.keys() - set(names):
        raise BadRunPlanError(f"{place} has {min(unknown)!r}; known are {', '.join(names)}")


def _whole(found: Mapping[str, Any], name: str, default: int, least: int, most: int) -> int:
    value = found.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise BadRunPlanError(f"`{name}` is a whole number from {least} to {most}, not {value!r}")
    return value


def _number(found: Mapping[str, Any], name: str, default: float, least: float, most: float, place: str = "") -> float:
    if name not in found:
        return default
    value = found[name]
    where = f"{place}: " if place else ""
    if not isinstance(value, int | float) or isinstance(value, bool) or not least <= value <= most:
        raise BadRunPlanError(f"{where}`{name}` is a number from {least:g} to {most:g}, not {value!r}")
    return float(value)
