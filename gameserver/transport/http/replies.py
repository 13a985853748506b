"""JSON responses, and the empty one."""

from aiohttp import web

from gameserver.transport import answers

JSON = "application/json"


def json_response(answer: object, status: int = 200) -> web.Response:
    return web.Response(body=answers.encode(answer), status=status, content_type=JSON)


def no_content() -> web.Response:
    return web.Response(status=204)
