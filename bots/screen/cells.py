"""How latencies are written in the tables of a run: median, 99th percentile and longest in one cell."""

from bots.count.latencies import Latencies

LATENCY_HEADINGS = ("planned ms\np50/p99/max", "service ms\np50/p99/max")
WHY_THEY_DIFFER = (
    "planned: from the moment an operation was due; service: from its sending. They differ by how long it waited for "
    "a player that was still waiting for an answer, or for this generator."
)


def latency_cell(latencies: Latencies) -> str:
    """Write median, 99th percentile and longest, in milliseconds; a dash if nothing was recorded."""
    if not latencies.count:
        return "–"
    return "/".join(_milliseconds(value) for value in (latencies.at(50), latencies.at(99), latencies.longest()))


def _milliseconds(seconds: float) -> str:
    value = seconds * 1000
    return f"{value:.1f}" if value < 99.95 else f"{value:,.0f}"
