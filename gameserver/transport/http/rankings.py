"""Rankings of all players for operators: pages, one player's place, percentiles, and the whole as a file."""

import math
import re
from dataclasses import replace

from aiohttp import web

from gameserver.commands import rankings
from gameserver.commands.rankings import PlayerChoice
from gameserver.commands.results import PLAYER_COLUMNS, Question, Segment, SpreadQuestion
from gameserver.exports import joined
from gameserver.rules.errors import BadInput, FieldProblem
from gameserver.transport import answers, wire
from gameserver.transport.http import cursors, inputs
from gameserver.transport.http.replies import json_response, large_json_response
from gameserver.transport.http.streams import Sheet, stream
from gameserver.transport.keys import COMMANDS, RULES

_PERCENTILE = re.compile(r"100|[0-9]{1,2}(\.[0-9]{1,4})?")


async def read_rankings(request: web.Request, _: str) -> web.StreamResponse:
    fields = inputs.query(request, wire.RankingsQuery)
    choice, descending = player_choice(fields), fields.order == "desc"
    context = request.app[COMMANDS]
    after = (
        None if fields.cursor is None else cursors.parse(fields.cursor, cursors.Order(fields.by, descending, choice))
    )
    segment = await rankings.resolved(context.operations, context.accounts, choice)
    question = Question(fields.by, fields.limit, descending, segment, after)
    ranking = await rankings.rank(context.operations, question)
    cursor = None
    if ranking.more:
        cursor = cursors.behind(ranking.last(fields.by), cursors.Order(fields.by, descending, choice))
    return large_json_response(request, answers.ranking(ranking, request.app[RULES].game, cursor))


async def find_players(request: web.Request, name: str) -> web.StreamResponse:
    return await read_rankings(request, name)


async def read_place(request: web.Request, _: str) -> web.Response:
    player_id = inputs.path_player(request)
    question = await _question(request, inputs.query(request, wire.PlayersFilter))
    return json_response(
        answers.ranked_place(await rankings.place(request.app[COMMANDS].operations, question, player_id))
    )


async def read_spread(request: web.Request, _: str) -> web.Response:
    fields = inputs.query(request, wire.SpreadQuery)
    percentiles = percentiles_of(fields)
    segment = (await _question(request, fields)).segment
    question = SpreadQuestion(fields.by, segment, percentiles, fields.bars)
    return json_response(answers.spread(await rankings.spread(request.app[COMMANDS].operations, question), fields.by))


async def export_ranking(request: web.Request, _: str) -> web.StreamResponse:
    fields = inputs.query(request, wire.RankingExportQuery)
    operations, question = request.app[COMMANDS].operations, await _question(request, fields)
    if fields.check == "true":
        await rankings.require_export(operations)
        return web.Response(status=204)
    sheet = Sheet(PLAYER_COLUMNS, joined, fields.format, "players")
    return await stream(request, rankings.export(operations, question, fields.format), sheet)


async def _question(request: web.Request, fields: wire.PlayersFilter) -> Question:
    context = request.app[COMMANDS]
    segment = await rankings.resolved(context.operations, context.accounts, player_choice(fields))
    return Question(fields.by, 1, fields.order == "desc", segment)


def player_choice(fields: wire.PlayersFilter) -> PlayerChoice:
    """Who is meant."""
    choice = segment_choice(fields)
    segment = replace(
        choice.segment,
        name_begins=fields.name_begins,
        name_part=fields.name_part,
        ids=None if fields.id is None else (int(fields.id),),
    )
    return PlayerChoice(segment, choice.online, fields.name, fields.device)


def segment_choice(fields: wire.SegmentFilter) -> PlayerChoice:
    """Who is meant, without what only one or a few could fit."""
    segment = Segment(
        class_name=fields.class_name,
        min_level=fields.min_level,
        max_level=fields.max_level,
        created_since=fields.created_since,
        created_until=fields.created_until,
        seen_since=fields.seen_since,
        seen_until=fields.seen_until,
        banned=_truth(fields.banned),
    )
    return PlayerChoice(segment, _truth(fields.online))


def _truth(text: wire.Truth | None) -> bool | None:
    return None if text is None else text == "true"


def percentiles_of(fields: wire.SpreadQuery) -> list[float]:
    """Raises BadInput."""
    return [_percentile(text) for text in fields.percentiles]


def _percentile(text: str) -> float:
    if not _PERCENTILE.fullmatch(text) or math.isclose(float(text), 0):
        problem = FieldProblem("percentiles", "must be numbers above 0 and up to 100, with commas between them")
        raise BadInput("The percentiles can't be used.", errors=[problem])
    return float(text)
