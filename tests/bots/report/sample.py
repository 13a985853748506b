"""The document of a run that never was: seconds, faults, verdicts and health, drawn from a seed."""

from dataclasses import replace
from random import Random

from bots.count.document import (
    HELD,
    DurationSpread,
    GeneratorSecond,
    InvariantVerdict,
    RunDocument,
    RunEvent,
    RunSecond,
    RunSetup,
    Sighting,
)
from bots.count.operations import RunCounts

OPERATIONS = {"hunt": 40, "rest": 12, "duel": 7, "heal_other": 9, "read": 20, "board": 10, "around": 6, "items": 4}
"""How many of each are answered in a second."""


def setup(seconds: float, seed: int = 7) -> RunSetup:
    return RunSetup(
        seed=seed,
        plan={"players": 200, "rate": 5.0, "mix": {"grinder": 0.6, "duellist": 0.4}},
        urls=("http://127.0.0.1:8080",),
        versions={"heroledger": "0.2.0", "bots": "0.2.0", "python": "3.11.7"},
        machine={"cores": 2, "memory_gib": 24, "processor": "x86_64"},
        started="2026-11-28T21:00:00+00:00",
        seconds=seconds,
        warm_up_seconds=2.0,
        arguments=("bots", "run", "--players", "200"),
    )


def document(seconds: int = 30, seed: int = 7, slower: float = 1.0) -> RunDocument:
    """Two faults: a node that was killed, and one that was skipped; `slower` stretches every latency."""
    random = Random(seed)
    return RunDocument(
        setup=replace(setup(seconds), started=f"2026-11-28T21:{seed % 60:02}:00+00:00"),
        seconds=[RunSecond(at, _counts(at, seconds, slower, random)) for at in range(seconds)],
        generator=[_health(at, random) for at in range(seconds)],
        events=[
            RunEvent(seconds / 3, seconds / 3 + 2.4, "kill", "node-1", "7 processes ended; back after 2.4 s"),
            RunEvent(seconds / 2, seconds / 2, "cut", "one", "skipped: this machine doesn't allow it"),
        ],
        proof=[
            InvariantVerdict("every acknowledged command is in the ledger", HELD, 31_415),
            InvariantVerdict("boards equal the database", HELD, 200),
        ],
        sometimes=[Sighting("a retry", 12, expected=True), Sighting("a resumed stream", 3, expected=False)],
    )


def _counts(at: int, seconds: int, slower: float, random: Random) -> RunCounts:
    counts = RunCounts()
    hurt = seconds / 3 <= at <= seconds / 3 + 3
    for name, rate in OPERATIONS.items():
        one = counts.of(name)
        for _ in range(rate // (4 if hurt else 1)):
            service = random.lognormvariate(-5, 0.6) * slower
            waited = random.random() * 2.4 if hurt else random.lognormvariate(-8, 1)
            one.service.record(service)
            one.planned.record(service + waited)
            one.ok += 1
            counts.nodes[f"node-{random.randint(1, 2)}"] += 1
            counts.databases[random.choice(("one", "two"))] += 1
        if hurt and name == "hunt":
            one.errors.update({"timeout": 3, "database_unavailable": 1})
            one.late += 2
    return counts


def _health(at: int, random: Random) -> GeneratorSecond:
    late = random.randint(50, 400)
    spread = DurationSpread(late, late * 4, late * 9)
    return GeneratorSecond(at, spread, DurationSpread(late // 2, late, late * 2), 0.2 + random.random() / 10, 200)
