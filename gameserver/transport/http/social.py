"""Friends and feeds over HTTP."""

from aiohttp import web

from gameserver.commands import friends
from gameserver.transport import answers, wire
from gameserver.transport.callers import callers
from gameserver.transport.http.asking import player_id, query, session
from gameserver.transport.http.replies import answer
from gameserver.transport.keys import BACKEND


async def befriend(request: web.Request) -> web.Response:
    mine = await session(request)
    await friends.befriend(callers.backend(request), mine, player_id(request.match_info["id"]))
    return web.Response(status=204)


async def unfriend(request: web.Request) -> web.Response:
    mine = await session(request)
    await friends.unfriend(callers.backend(request), mine, player_id(request.match_info["id"]))
    return web.Response(status=204)


async def list_friends(request: web.Request) -> web.Response:
    backend = request.app[BACKEND]
    found = await friends.friends(backend, await session(request))
    told = [answers.player_now(each, backend.rulebook.game) for each in found]
    return answer({"friends": told, "most": backend.friends.most})


async def read_board_of_friends(request: web.Request) -> web.Response:
    mine = await session(request)
    return answer(
        answers.board(await friends.board_of_friends(request.app[BACKEND], mine, request.match_info["board"]))
    )


async def read_feed(request: web.Request) -> web.Response:
    mine = await session(request)
    return answer(answers.feed(await friends.feed(request.app[BACKEND], mine, query(request, wire.FeedQuery).limit)))
