"""Headers that a request may have once."""

from aiohttp import web

from gameserver.transport.wire import BadRequest


def single_header(request: web.Request, name: str) -> str | None:
    """The header's value, None without it. Raises BadRequest if it is given twice: readers differ in which counts."""
    values = request.headers.getall(name, None)
    if values is None:
        return None
    if len(values) > 1:
        raise BadRequest(f"The header {name} is given twice.")
    return values[0]
