"""The HTTP door of the boards: pages, places and ranks."""

from aiohttp import web

from gameserver.commands import boards
from gameserver.transport import answers, wire
from gameserver.transport.board_pages import BOARD_PAGES, BoardPage
from gameserver.transport.http.asking import player_id, query, session
from gameserver.transport.http.replies import answer
from gameserver.transport.keys import BACKEND

JSON = "application/json"


async def list_boards(request: web.Request) -> web.Response:
    backend = request.app[BACKEND]
    now = backend.now()
    listed = [answers.listed_board(each, backend.calendar.season(each, now)) for each in boards.names(backend)]
    return answer({"boards": listed})


async def read_board(request: web.Request) -> web.Response:
    """The top comes from the node's pages, of the last moment, and not at all where the client has it already."""
    asked, name = query(request, wire.BoardQuery), request.match_info["board"]
    backend = request.app[BACKEND]

    async def ask() -> answers.BoardAnswer:
        return answers.board(await boards.top(backend, name, asked.season, asked.limit, asked.cursor))

    if asked.cursor is not None:
        return answer(await ask())
    page = await request.app[BOARD_PAGES].read((name, asked.season, asked.limit), ask)
    return _told(request, page)


def _told(request: web.Request, page: BoardPage) -> web.Response:
    headers = {"ETag": page.etag, "Cache-Control": "no-cache"}
    known = request.headers.get("If-None-Match")
    if known is not None and (known == "*" or page.etag in [each.strip() for each in known.split(",")]):
        return web.Response(status=304, headers=headers)
    return web.Response(body=page.body, headers=headers, content_type=JSON)


async def read_around(request: web.Request) -> web.Response:
    asked, name = query(request, wire.AroundQuery), request.match_info["board"]
    wanted = await _wanted(request)
    found = await boards.around(request.app[BACKEND], name, asked.season, wanted, asked.radius)
    return answer(answers.board(found))


async def read_ranks(request: web.Request) -> web.Response:
    asked, name = query(request, wire.RanksQuery), request.match_info["board"]
    wanted = [player_id(each, "ids") for each in asked.ids]
    return answer(answers.ranks(await boards.ranks(request.app[BACKEND], name, asked.season, wanted)))


async def read_rank(request: web.Request) -> web.Response:
    asked, name = query(request, wire.SeasonQuery), request.match_info["board"]
    wanted = await _wanted(request)
    return answer(answers.rank(await boards.rank(request.app[BACKEND], name, asked.season, wanted)))


async def _wanted(request: web.Request) -> int:
    """The player of the path, who may be `me`."""
    who = request.match_info["id"]
    return (await session(request)).player_id if who == "me" else player_id(who)
