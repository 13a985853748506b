"""The HTTP door of operators, behind keys of its own."""

from dataclasses import replace

from aiohttp import web

from gameserver.commands import admin, board_care
from gameserver.commands.results import Judgement, Question
from gameserver.transport import answers, wire
from gameserver.transport.http import asking, cursors
from gameserver.transport.http.replies import answer
from gameserver.transport.keys import BACKEND


async def read_rankings(request: web.Request) -> web.Response:
    asking.admin(request)
    asked = asking.query(request, wire.RankingsQuery)
    backend = request.app[BACKEND]
    question = Question(
        by=asked.by,
        limit=asked.limit,
        descending=asked.order == "desc",
        class_name=asked.class_name,
        min_level=asked.min_level,
        max_level=asked.max_level,
    )
    if asked.cursor is not None:
        question = replace(question, after=cursors.parse(asked.cursor, question))
    found = await admin.rank(backend, question)
    cursor = cursors.behind(found.players[-1], question) if found.more else None
    return answer(answers.ranking(found, backend.rulebook.game, cursor))


async def read_slots(request: web.Request) -> web.Response:
    asking.admin(request)
    return answer(answers.slots(await admin.slots(request.app[BACKEND])))


async def read_databases(request: web.Request) -> web.Response:
    asking.admin(request)
    backend = request.app[BACKEND]
    return answer(answers.databases(await admin.databases(backend), backend.now()))


async def read_stats(request: web.Request) -> web.Response:
    asking.admin(request)
    return answer(answers.counts(*await admin.stats(request.app[BACKEND])))


async def read_nodes(request: web.Request) -> web.Response:
    asking.admin(request)
    asked = [asking.player_id(each, "ids") for each in asking.query(request, wire.NodesQuery).ids]
    return answer(answers.nodes(await admin.nodes(request.app[BACKEND], asked), asked))


async def proclaim(request: web.Request) -> web.Response:
    name = asking.admin(request)
    asked = await asking.body(request, wire.Notice)
    to = None if asked.player is None else asking.player_id(asked.player, "player")
    number = await admin.proclaim(request.app[BACKEND], name, asked.text, asked.reason, to)
    return answer({"number": number}, status=201)


async def ban(request: web.Request) -> web.Response:
    name = asking.admin(request)
    asked = await asking.body(request, wire.Because)
    return await _judge(request, name, asked.reason, banned=True)


async def lift_ban(request: web.Request) -> web.Response:
    name = asking.admin(request)
    return await _judge(request, name, asking.query(request, wire.ReasonQuery).reason, banned=False)


async def check_board(request: web.Request) -> web.Response:
    asking.admin(request)
    asked, name = asking.query(request, wire.CheckQuery), request.match_info["board"]
    found = await board_care.check(request.app[BACKEND], name, asked.season, asked.sample, repair=False)
    return answer(answers.verdict(*found))


async def rebuild_board(request: web.Request) -> web.Response:
    who, name = asking.admin(request), request.match_info["board"]
    asked = await asking.body(request, wire.Rebuild)
    generation = await board_care.rebuild(request.app[BACKEND], who, name, asked.season, asked.reason)
    return answer({"generation": generation}, status=202)


async def _judge(request: web.Request, name: str, reason: str, *, banned: bool) -> web.Response:
    backend = request.app[BACKEND]
    key, who = asking.command_id(request), asking.player_id(request.match_info["id"])
    judged = await admin.judge(backend, name, Judgement(key, who, banned, reason))
    return answer(answers.judged(judged, backend.rulebook.game, key))
