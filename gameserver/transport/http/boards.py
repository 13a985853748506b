"""Boards over HTTP: pages, places and ranks."""

from aiohttp import web

from gameserver.commands import boards
from gameserver.transport import answers, wire
from gameserver.transport.board_pages import BOARD_PAGES, BoardPage
from gameserver.transport.callers import counting
from gameserver.transport.http.inputs import path_player_or_me, query
from gameserver.transport.http.replies import (
    SMALLEST,
    compress,
    encoded_response,
    is_known,
    json_response,
    large_json_response,
    takes_gzip,
)
from gameserver.transport.keys import COMMANDS


async def list_boards(request: web.Request) -> web.Response:
    return json_response(answers.board_list(boards.listed(request.app[COMMANDS].leaderboards)))


async def read_board(request: web.Request) -> web.StreamResponse:
    """The top comes from the node's cached pages; a client that has the present page already gets 304."""
    fields, name = query(request, wire.BoardQuery), request.match_info["board"]
    leaderboards = request.app[COMMANDS].leaderboards

    async def read() -> answers.BoardAnswer:
        return answers.board(await boards.top(leaderboards, name, fields.season, fields.limit, fields.cursor))

    key, pages = (name, fields.season, fields.limit), request.app[BOARD_PAGES]
    if fields.cursor is not None or not pages.has(key):
        counting.entry_counter(request)(fields.limit)
    if fields.cursor is not None:
        return large_json_response(request, await read())
    return _response(request, await pages.read(key, read))


def _response(request: web.Request, page: BoardPage) -> web.StreamResponse:
    headers = {"ETag": page.etag, "Cache-Control": "no-cache"}
    if is_known(request, page.etag):
        return web.Response(status=304, headers={**headers, "Vary": "Accept-Encoding"})
    is_long = len(page.body) >= SMALLEST and takes_gzip(request)
    response = encoded_response(page.body, page.compressed(compress) if is_long else None)
    response.headers.update(headers)
    return response


async def read_around(request: web.Request) -> web.StreamResponse:
    fields, name = query(request, wire.AroundQuery), request.match_info["board"]
    leaderboards, player = request.app[COMMANDS].leaderboards, await path_player_or_me(request)
    counting.entry_counter(request)(2 * fields.radius + 1)
    ranked = await boards.around(leaderboards, name, fields.season, player, fields.radius)
    return large_json_response(request, answers.board(ranked))


async def read_ranks(request: web.Request) -> web.StreamResponse:
    fields, name = query(request, wire.RanksQuery), request.match_info["board"]
    ids = [int(text) for text in fields.ids]
    counting.entry_counter(request)(len(ids))
    ranked = await boards.ranks(request.app[COMMANDS].leaderboards, name, fields.season, ids)
    return large_json_response(request, answers.ranks(ranked))


async def read_rank(request: web.Request) -> web.Response:
    fields, name = query(request, wire.SeasonQuery), request.match_info["board"]
    leaderboards, player = request.app[COMMANDS].leaderboards, await path_player_or_me(request)
    return json_response(answers.rank(await boards.rank(leaderboards, name, fields.season, player)))
