"""The figures of this process that a page of operators draws, from the metrics that it counts anyway.

Law: counters only rise while the process lives, so that a reader gets rates from the difference of two readings; the
bounds of `buckets` are FAST, and one bucket more for what took longer.
"""

import time
from collections.abc import Collection
from math import isnan
from typing import TypedDict

from prometheus_client.metrics import MetricWrapperBase

from gameserver import telemetry
from gameserver.timings import Timings


class FollowerFigures(TypedDict):
    database: str
    age_seconds: float


class ReplicaFigures(TypedDict):
    """`age_seconds` is null while the replica can't be used, `behind_bytes` while it isn't known to be a replica."""

    database: str
    replica: str
    age_seconds: float | None
    behind_bytes: int | None


class NodeFigures(TypedDict):
    """`requests` and `actions` have the counts of each bucket; `seconds` are of the processor and of the process."""

    requests: list[int]
    actions: list[int]
    refusals: int
    denied: int
    queued: int
    pool_waiting: int
    processor_seconds: float
    up_seconds: float
    followers: list[FollowerFigures]
    replicas: list[ReplicaFigures]


_STARTED = time.monotonic()


def figures(left: Collection[str] = ()) -> NodeFigures:
    """Now, without replicas of databases that no group has any more."""
    behind = {(of["database"], of["replica"]): value for of, value in _samples(telemetry.REPLICA_BEHIND)}
    return {
        "requests": _merged(telemetry.REQUEST_SECONDS),
        "actions": _merged(telemetry.COMMAND_SECONDS),
        "refusals": _total(telemetry.REFUSALS),
        "denied": _total(telemetry.DENIED),
        "queued": _total(telemetry.QUEUED),
        "pool_waiting": _total(telemetry.POOL_WAITING),
        "processor_seconds": round(time.process_time(), 2),
        "up_seconds": round(time.monotonic() - _STARTED, 1),
        "followers": [
            {"database": of["database"], "age_seconds": round(value, 3)}
            for of, value in _samples(telemetry.FOLLOWER_AGE)
        ],
        "replicas": [
            {
                "database": of["database"],
                "replica": of["replica"],
                "age_seconds": None if value == float("inf") else round(value, 3),
                "behind_bytes": _whole(behind[of["database"], of["replica"]]),
            }
            for of, value in _samples(telemetry.REPLICA_AGE)
            if of["database"] not in left
        ],
    }


def _whole(value: float) -> int | None:
    return None if isnan(value) else int(value)


def _samples(metric: MetricWrapperBase) -> list[tuple[dict[str, str], float]]:
    return [
        (sample.labels, sample.value)
        for family in metric.collect()
        for sample in family.samples
        if not sample.name.endswith("_created")
    ]


def _total(metric: MetricWrapperBase) -> int:
    return int(sum(value for _, value in _samples(metric)))


def _merged(timings: Timings) -> list[int]:
    nothing = [0] * (len(telemetry.FAST) + 1)
    return [sum(counts) for counts in zip(nothing, *(child.counts for child in timings.children()), strict=True)]
