"""Operators' questions and changes over HTTP."""

from dataclasses import replace

from aiohttp import web

from gameserver.commands import board_repair, moderation, operations
from gameserver.commands.results import BanChange, Question
from gameserver.transport import answers, wire
from gameserver.transport.http import asking, cursors
from gameserver.transport.http.replies import answer
from gameserver.transport.keys import CLOCK, COMMANDS, RULEBOOK


async def read_rankings(request: web.Request, _: str) -> web.Response:
    fields = asking.query(request, wire.RankingsQuery)
    question = Question(
        by=fields.by,
        limit=fields.limit,
        descending=fields.order == "desc",
        class_name=fields.class_name,
        min_level=fields.min_level,
        max_level=fields.max_level,
    )
    if fields.cursor is not None:
        question = replace(question, after=cursors.parse(fields.cursor, question))
    ranking = await operations.rank(request.app[COMMANDS].operations, question)
    cursor = cursors.behind(ranking.players[-1], question) if ranking.more else None
    return answer(answers.ranking(ranking, request.app[RULEBOOK].game, cursor))


async def read_slots(request: web.Request, _: str) -> web.Response:
    return answer(answers.slots(await operations.slots(request.app[COMMANDS].operations)))


async def read_databases(request: web.Request, _: str) -> web.Response:
    return answer(answers.databases(await operations.databases(request.app[COMMANDS].operations), request.app[CLOCK]()))


async def read_stats(request: web.Request, _: str) -> web.Response:
    return answer(answers.counts(*await operations.stats(request.app[COMMANDS].operations)))


async def read_nodes(request: web.Request, _: str) -> web.Response:
    ids = [asking.player_id(text, "ids") for text in asking.query(request, wire.NodesQuery).ids]
    return answer(answers.nodes(await operations.nodes(request.app[COMMANDS].operations, ids), ids))


async def proclaim(request: web.Request, name: str) -> web.Response:
    fields = await asking.body(request, wire.Notice)
    recipient = None if fields.player is None else asking.player_id(fields.player, "player")
    needed = request.app[COMMANDS].operations
    number = await operations.proclaim(needed, name, fields.text, fields.reason, recipient)
    return answer({"number": number}, status=201)


async def ban(request: web.Request, name: str) -> web.Response:
    fields = await asking.body(request, wire.Because)
    return await _change_ban(request, name, fields.reason, banned=True)


async def lift_ban(request: web.Request, name: str) -> web.Response:
    return await _change_ban(request, name, asking.query(request, wire.ReasonQuery).reason, banned=False)


async def _change_ban(request: web.Request, name: str, reason: str, *, banned: bool) -> web.Response:
    key, player = asking.command_id(request), asking.player_id(request.match_info["id"])
    state = await moderation.change_ban(request.app[COMMANDS].operations, name, BanChange(key, player, banned, reason))
    return answer(answers.ban_state(state, request.app[RULEBOOK].game, key))


async def check_board(request: web.Request, _: str) -> web.Response:
    fields, board = asking.query(request, wire.CheckQuery), request.match_info["board"]
    care = request.app[COMMANDS].board_repair
    return answer(answers.verdict(*await board_repair.check(care, board, fields.season, fields.sample, repair=False)))


async def rebuild_board(request: web.Request, name: str) -> web.Response:
    board, care = request.match_info["board"], request.app[COMMANDS].board_repair
    fields = await asking.body(request, wire.Rebuild)
    generation = await board_repair.rebuild(care, name, board, fields.season, fields.reason)
    return answer({"generation": generation}, status=202)
