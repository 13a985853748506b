"""The game's actions and classes over HTTP."""

from aiohttp import web

from gameserver.transport import answers
from gameserver.transport.http.replies import large_json_response
from gameserver.transport.keys import RULES


async def list_actions(request: web.Request) -> web.StreamResponse:
    return large_json_response(request, answers.action_list(request.app[RULES].rulebook.actions()))


async def list_classes(request: web.Request) -> web.StreamResponse:
    return large_json_response(request, answers.class_list(request.app[RULES].game))
