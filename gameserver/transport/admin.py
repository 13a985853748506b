"""The HTTP door of operators, behind keys of its own."""

from dataclasses import replace

from aiohttp import web

from gameserver.commands import admin
from gameserver.commands.results import Question
from gameserver.transport import answers, asking, cursors, wire
from gameserver.transport.asking import answer
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
