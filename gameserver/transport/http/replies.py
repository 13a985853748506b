"""JSON responses."""

from aiohttp import web

from gameserver.transport import answers


def answer(told: object, status: int = 200) -> web.Response:
    return web.Response(body=answers.encode(told), status=status, content_type="application/json")
