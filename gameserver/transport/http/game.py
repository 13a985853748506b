"""What the game consists of, over HTTP: its actions and classes."""

from aiohttp import web

from gameserver.transport import answers
from gameserver.transport.http.replies import answer
from gameserver.transport.keys import RULEBOOK


async def list_actions(request: web.Request) -> web.Response:
    return answer(answers.action_list(request.app[RULEBOOK].actions()))


async def list_classes(request: web.Request) -> web.Response:
    return answer(answers.class_list(request.app[RULEBOOK].game.classes))
