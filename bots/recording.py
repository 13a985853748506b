"""Makes the document of a run from its result: the set-up, the seconds, the generator, the verdicts."""

import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

from bots.count.document import CARRIED_OUT, NOT_CHECKED, InvariantVerdict, RunDocument, RunSetup
from bots.play.plan import SwarmPlan
from bots.proof.result import RunResult
from bots.proving import Target

PACKAGES = ("heroledger-bots", "aiohttp", "uvloop", "orjson")


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What a document says of a run beside its result: the plan as the user gave it, and the command's arguments.

    `server` is the version of the server, "" if it isn't known.
    """

    plan: Mapping[str, Any]
    arguments: Sequence[str]
    server: str = ""


def document(result: RunResult, plan: SwarmPlan, target: Target, recorded: RunFacts) -> RunDocument:
    """Return the document of a run that is over, or was stopped."""
    swarm = result.swarm
    started = swarm.started or datetime.now(UTC)
    setup = RunSetup(
        seed=plan.seed,
        plan=recorded.plan,
        urls=target.urls,
        versions=versions(recorded.server),
        machine=machine(),
        started=started.isoformat(timespec="milliseconds"),
        seconds=round(min(swarm.played, plan.seconds), 3),
        warm_up_seconds=min(plan.warm_up, swarm.played),
        arguments=tuple(recorded.arguments),
    )
    health = swarm.tally.health
    ends = setup.seconds
    return RunDocument(
        setup=setup,
        seconds=swarm.tally.recorder.seconds,
        generator=[second for second in health.seconds if second.at < ends],
        proof=_verdicts(result),
        sometimes=list(result.sightings),
        void=health.fault(plan.warm_up),
    )


def versions(server: str) -> dict[str, str]:
    """Return the versions of what took part."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return {**found, **({"server": server} if server else {})}


def machine() -> dict[str, Any]:
    """Return facts about this machine; nothing that names its owner."""
    return {
        "system": platform.system(),
        "release": platform.release(),
        "architecture": platform.machine(),
        "cores": len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count(),
        "generators": 1,
    }


def _verdicts(result: RunResult) -> list[InvariantVerdict]:
    """Return the verdicts of the proof, and why it wasn't carried out if that is so."""
    failed = [InvariantVerdict(CARRIED_OUT, NOT_CHECKED, 0, (result.failure,))]
    return [*result.invariants(), *(failed if result.failure else [])]
