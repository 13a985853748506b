"""Errors, as HTTP and sockets answer them."""

from typing import Any, NotRequired

from typing_extensions import TypedDict

from gameserver.rules.errors import GameError, Internal
from gameserver.rules.studio import OWN_FIELDS
from gameserver.transport.wire import status_of


class FieldAnswer(TypedDict):
    field: str
    problem: str


class Problem(TypedDict):
    """application/problem+json (RFC 9457); clients branch on `code`."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: NotRequired[list[FieldAnswer]]
    server_time: NotRequired[str]


def problem(error: GameError, request_id: str) -> dict[str, Any]:
    """The body of an HTTP answer."""
    return {
        "type": "about:blank",
        "title": error.code.replace("_", " ").capitalize(),
        "status": status_of(type(error)),
        "detail": error.detail,
        "code": error.code,
        "request_id": request_id,
        **_more(error),
        **_fields(error),
    }


def frame_error(error: GameError, request_id: str) -> dict[str, Any]:
    """The error of a frame's answer, without what only HTTP has; a fault of the server has the request's id."""
    retry_after = {} if error.retry_after is None else {"retry_after": error.retry_after}
    request = {"request_id": request_id} if isinstance(error, Internal) else {}
    return {"code": error.code, "detail": error.detail, **_more(error), **_fields(error), **retry_after, **request}


def _more(error: GameError) -> dict[str, Any]:
    """What this error says beyond what all of them say, and never in place of that."""
    extra = error.extra
    return extra if OWN_FIELDS.isdisjoint(extra) else {name: extra[name] for name in extra if name not in OWN_FIELDS}


def _fields(error: GameError) -> dict[str, list[FieldAnswer]]:
    if not error.errors:
        return {}
    return {"errors": [{"field": fault.field, "problem": fault.problem} for fault in error.errors]}
