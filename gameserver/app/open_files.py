"""How many files a node may open: each connection is one, and what systems allow at first ends at a thousand."""

import resource

import structlog

log = structlog.get_logger()

OTHERS = 1_000
"""What a node opens besides sockets: connections of requests, to databases and to Redis, its log."""


def allow(sockets: int) -> None:
    """Raises the limit of open files to what so many sockets need, or as far as the system lets it, which is logged."""
    wanted = sockets + OTHERS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed < wanted:
        log.warning(
            "a node may run out of open files",
            what=f"The system allows {allowed}, and sockets.per_node of {sockets} may need {wanted}.",
            remedy="Raise `ulimit -n` (LimitNOFILE of systemd), or lower sockets.per_node.",
        )
