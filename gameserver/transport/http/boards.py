"""Boards over HTTP: pages, places and ranks."""

from aiohttp import web

from gameserver.commands import boards
from gameserver.transport import answers, wire
from gameserver.transport.board_pages import BOARD_PAGES, BoardPage
from gameserver.transport.http.asking import player_id, query, session
from gameserver.transport.http.replies import answer
from gameserver.transport.keys import COMMANDS

JSON = "application/json"


async def list_boards(request: web.Request) -> web.Response:
    return answer(answers.board_list(boards.listed(request.app[COMMANDS].leaderboards)))


async def read_board(request: web.Request) -> web.Response:
    """The top comes from the node's cached pages; a client that has the present page already gets 304."""
    fields, name = query(request, wire.BoardQuery), request.match_info["board"]
    leaderboards = request.app[COMMANDS].leaderboards

    async def read() -> answers.BoardAnswer:
        return answers.board(await boards.top(leaderboards, name, fields.season, fields.limit, fields.cursor))

    if fields.cursor is not None:
        return answer(await read())
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
    leaderboards, player = request.app[COMMANDS].leaderboards, await _player(request)
    return answer(answers.board(await boards.around(leaderboards, name, fields.season, player, fields.radius)))


async def read_ranks(request: web.Request) -> web.Response:
    fields, name = query(request, wire.RanksQuery), request.match_info["board"]
    ids = [player_id(text, "ids") for text in fields.ids]
    return answer(answers.ranks(await boards.ranks(request.app[COMMANDS].leaderboards, name, fields.season, ids)))


async def read_rank(request: web.Request) -> web.Response:
    fields, name = query(request, wire.SeasonQuery), request.match_info["board"]
    leaderboards, player = request.app[COMMANDS].leaderboards, await _player(request)
    return answer(answers.rank(await boards.rank(leaderboards, name, fields.season, player)))


async def _player(request: web.Request) -> int:
    """The player of the path, which may be `me`."""
    text = request.match_info["id"]
    return (await session(request)).player_id if text == "me" else player_id(text)
