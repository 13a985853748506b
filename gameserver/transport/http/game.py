"""What the game consists of, over HTTP: its actions and classes."""

from aiohttp import web

from gameserver.transport.http.replies import answer
from gameserver.transport.keys import RULEBOOK


async def list_actions(request: web.Request) -> web.Response:
    schemas = request.app[RULEBOOK].actions()
    return answer({"actions": [{"name": name, "args": schema} for name, schema in schemas.items()]})


async def list_classes(request: web.Request) -> web.Response:
    classes = request.app[RULEBOOK].game.classes.items()
    return answer({"classes": [{"name": name, **player_class.model_dump()} for name, player_class in classes]})
