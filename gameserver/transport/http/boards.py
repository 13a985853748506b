"""Boards over HTTP: pages, places and ranks."""

from aiohttp import web

from gameserver.commands import boards
from gameserver.transport import answers, wire
from gameserver.transport.board_pages import BOARD_PAGES, BoardPage
from gameserver.transport.http.inputs import path_player_or_me, player_ids, query
from gameserver.transport.http.replies import JSON, json_response
from gameserver.transport.keys import COMMANDS


async def list_boards(request: web.Request) -> web.Response:
    return json_response(answers.board_list(boards.listed(request.app[COMMANDS].leaderboards)))


async def read_board(request: web.Request) -> web.Response:
    """The top comes from the node's cached pages; a client that has the present page already gets 304."""
    fields, name = query(request, wire.BoardQuery), request.match_info["board"]
    leaderboards = request.app[COMMANDS].leaderboards

    async def read() -> answers.BoardAnswer:
        return answers.board(await boards.top(leaderboards, name, fields.season, fields.limit, fields.cursor))

    if fields.cursor is not None:
        return json_response(await read())
    page = await request.app[BOARD_PAGES].read((name, fields.season, fields.limit), read)
    return _response(request, page)


def _response(request: web.Request, page: BoardPage) -> web.Response:
    headers = {"ETag": page.etag, "Cache-Control": "no-cache"}
    known = request.headers.get("If-None-Match")
    if known is not None and (known == "*" or page.etag in [tag.strip() for tag in known.split(",")]):
        return web.Response(status=304, headers=headers)
    return web.Response(body=page.body, headers=headers, content_type=JSON)


async def read_around(request: web.Request) -> web.Response:
    fields, name = query(request, wire.AroundQuery), request.match_info["board"]
    leaderboards, player = request.app[COMMANDS].leaderboards, await path_player_or_me(request)
    return json_response(answers.board(await boards.around(leaderboards, name, fields.season, player, fields.radius)))


async def read_ranks(request: web.Request) -> web.Response:
    fields, name = query(request, wire.RanksQuery), request.match_info["board"]
    ids = player_ids(fields.ids)
    return json_response(
        answers.ranks(await boards.ranks(request.app[COMMANDS].leaderboards, name, fields.season, ids))
    )


async def read_rank(request: web.Request) -> web.Response:
    fields, name = query(request, wire.SeasonQuery), request.match_info["board"]
    leaderboards, player = request.app[COMMANDS].leaderboards, await path_player_or_me(request)
    return json_response(answers.rank(await boards.rank(leaderboards, name, fields.season, player)))
