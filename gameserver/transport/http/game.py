"""The game's actions and classes over HTTP."""

from aiohttp import web

from gameserver.transport import answers
from gameserver.transport.http.replies import json_response
from gameserver.transport.keys import RULEBOOK


async def list_actions(request: web.Request) -> web.Response:
    return json_response(answers.action_list(request.app[RULEBOOK].actions()))


async def list_classes(request: web.Request) -> web.Response:
    return json_response(answers.class_list(request.app[RULEBOOK].game))
