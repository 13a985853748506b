"""Friends, blocked players and feeds over HTTP."""

from aiohttp import web

from gameserver.commands import friends
from gameserver.commands.results import Session
from gameserver.transport import answers, wire
from gameserver.transport.callers import counting
from gameserver.transport.http.inputs import path_player, query
from gameserver.transport.http.replies import large_json_response, no_content
from gameserver.transport.keys import COMMANDS, RULES


async def befriend(request: web.Request, session: Session) -> web.Response:
    friend_id = path_player(request)
    counting.count_list_change(request, session)
    await friends.befriend(request.app[COMMANDS].friends, session, friend_id)
    return no_content()


async def unfriend(request: web.Request, session: Session) -> web.Response:
    friend_id = path_player(request)
    counting.count_list_change(request, session)
    await friends.unfriend(request.app[COMMANDS].friends, session, friend_id)
    return no_content()


async def block(request: web.Request, session: Session) -> web.Response:
    blocked_id = path_player(request)
    counting.count_list_change(request, session)
    await friends.block(request.app[COMMANDS].friends, session, blocked_id)
    return no_content()


async def unblock(request: web.Request, session: Session) -> web.Response:
    blocked_id = path_player(request)
    counting.count_list_change(request, session)
    await friends.unblock(request.app[COMMANDS].friends, session, blocked_id)
    return no_content()


async def list_blocks(request: web.Request, session: Session) -> web.StreamResponse:
    social = request.app[COMMANDS].friends
    counting.count_read(request, session, friends.most_blocks(social))
    entries, most = await friends.blocks(social, session)
    return large_json_response(request, answers.blocks(entries, most))


async def list_friends(request: web.Request, session: Session) -> web.StreamResponse:
    social = request.app[COMMANDS].friends
    counting.count_read(request, session, friends.most_friends(social))
    players, most = await friends.friends(social, session)
    return large_json_response(request, answers.friends(players, most, request.app[RULES].game))


async def read_board_of_friends(request: web.Request, session: Session) -> web.StreamResponse:
    social = request.app[COMMANDS].friends
    counting.count_read(request, session, friends.most_friends(social))
    ranked = await friends.board_of_friends(social, session, request.match_info["board"])
    return large_json_response(request, answers.board(ranked))


async def read_feed(request: web.Request, session: Session) -> web.StreamResponse:
    limit = query(request, wire.FeedQuery).limit
    counting.count_read(request, session)
    return large_json_response(request, answers.feed(await friends.feed(request.app[COMMANDS].friends, session, limit)))
