"""Friends and feeds over HTTP."""

from aiohttp import web

from gameserver.commands import friends
from gameserver.commands.results import Session
from gameserver.transport import answers, wire
from gameserver.transport.callers import callers
from gameserver.transport.http.asking import player_id, query
from gameserver.transport.http.replies import answer
from gameserver.transport.keys import COMMANDS, RULEBOOK


async def befriend(request: web.Request, session: Session) -> web.Response:
    friend = player_id(request.match_info["id"])
    callers.count_action(request, session)
    await friends.befriend(request.app[COMMANDS].friends, session, friend)
    return web.Response(status=204)


async def unfriend(request: web.Request, session: Session) -> web.Response:
    friend = player_id(request.match_info["id"])
    callers.count_action(request, session)
    await friends.unfriend(request.app[COMMANDS].friends, session, friend)
    return web.Response(status=204)


async def list_friends(request: web.Request, session: Session) -> web.Response:
    players, most = await friends.friends(request.app[COMMANDS].friends, session)
    return answer(answers.friends(players, most, request.app[RULEBOOK].game))


async def read_board_of_friends(request: web.Request, session: Session) -> web.Response:
    board = request.match_info["board"]
    return answer(answers.board(await friends.board_of_friends(request.app[COMMANDS].friends, session, board)))


async def read_feed(request: web.Request, session: Session) -> web.Response:
    limit = query(request, wire.FeedQuery).limit
    return answer(answers.feed(await friends.feed(request.app[COMMANDS].friends, session, limit)))
