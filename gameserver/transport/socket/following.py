"""Traces the requests of sockets; only nodes that trace have it around theirs."""

from collections.abc import Coroutine
from typing import Any

from gameserver.tracing.tracer import Tracer
from gameserver.transport.socket.operations import OPERATIONS


async def follow(tracer: Tracer, frame: dict[str, Any], serving: Coroutine[Any, Any, str]) -> str:
    """Has a frame served, which gives the code of its answer, and traces it if it is one of those to be traced."""
    span = tracer.request(frame.get("traceparent"))
    if span is None:
        return await serving
    op, code = frame.get("op"), "cancelled"
    name = op if isinstance(op, str) and op in OPERATIONS else "none"
    try:
        code = await serving
        return code
    finally:
        span.end(f"socket {name}", {"gameserver.op": name, "gameserver.code": code}, "" if code == "ok" else code)
