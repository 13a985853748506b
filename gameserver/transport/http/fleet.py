"""The fleet over HTTP: how it is, and what operators order of it; `name` is the name of the admin key."""

from collections.abc import Sequence

from aiohttp import web

from gameserver.commands import fleet, seasons
from gameserver.commands.results import ChangedBy, PlannedMove, WantedMoves
from gameserver.telemetry import FAST
from gameserver.transport import answers, wire
from gameserver.transport.http import inputs
from gameserver.transport.http.replies import json_response, large_json_response
from gameserver.transport.keys import COMMANDS


async def read_fleet(request: web.Request, _: str) -> web.StreamResponse:
    context = request.app[COMMANDS].fleet
    nodes, members = await fleet.nodes_if_told(context), await fleet.members(context)
    return large_json_response(request, answers.fleet(nodes, members, FAST))


async def read_moves(request: web.Request, _: str) -> web.StreamResponse:
    return large_json_response(request, answers.moves(await fleet.moves(request.app[COMMANDS].fleet)))


async def order_moves(request: web.Request, name: str) -> web.Response:
    fields, context = await inputs.body(request, wire.MoveSlots), request.app[COMMANDS].fleet
    wanted = WantedMoves(fields.group, fields.slots, fields.target)
    if _is_preview(request):
        return json_response(_move_plan(await fleet.plan(context, wanted), ()))
    by = ChangedBy(name, fields.reason, inputs.command_id(request))
    return json_response(_move_plan(*await fleet.order(context, wanted, by, fields.expected_plan)))


async def drain_database(request: web.Request, name: str) -> web.Response:
    fields, context = await inputs.body(request, wire.DrainDatabase), request.app[COMMANDS].fleet
    database = request.match_info["database"]
    if _is_preview(request):
        return json_response(_move_plan(await fleet.plan_drain(context, database), ()))
    by = ChangedBy(name, fields.reason, inputs.command_id(request))
    return json_response(_move_plan(*await fleet.order_drain(context, database, by, fields.expected_plan)))


async def keep_database(request: web.Request, name: str) -> web.Response:
    fields, context = inputs.query(request, wire.ReasonedChangeQuery), request.app[COMMANDS].fleet
    database, is_preview = request.match_info["database"], fields.preview == "true"
    if is_preview:
        members, moves = await fleet.keepable(context, database)
    else:
        by = ChangedBy(name, fields.reason, inputs.command_id(request))
        members, moves = await fleet.order_keep(context, database, by)
    return json_response(answers.kept_database(members, moves, ordered=not is_preview))


async def drain_node(request: web.Request, name: str) -> web.Response:
    fields, context = await inputs.body(request, wire.Because), request.app[COMMANDS].fleet
    node = request.match_info["node"]
    if _is_preview(request):
        return json_response(answers.node_order(await fleet.drainable(context, node), ordered=False))
    by = ChangedBy(name, fields.reason, inputs.command_id(request))
    return json_response(answers.node_order(await fleet.order_node(context, node, by, drain=True), ordered=True))


async def resume_node(request: web.Request, name: str) -> web.Response:
    by = ChangedBy(name, inputs.query(request, wire.ReasonQuery).reason, inputs.command_id(request))
    context, node = request.app[COMMANDS].fleet, request.match_info["node"]
    return json_response(answers.node_order(await fleet.order_node(context, node, by, drain=False), ordered=True))


async def cancel_move(request: web.Request, name: str) -> web.Response:
    fields, move = await inputs.body(request, wire.Because), inputs.path_number(request, "move", "move")
    by = ChangedBy(name, fields.reason, inputs.command_id(request))
    return json_response(answers.move(await fleet.cancel(request.app[COMMANDS].fleet, move, by)))


async def read_seasons(request: web.Request, _: str) -> web.StreamResponse:
    limit = inputs.query(request, wire.SeasonsQuery).limit
    found, more = await seasons.newest(request.app[COMMANDS].seasons, limit)
    return large_json_response(request, answers.seasons(found, more=more))


async def preview_season(request: web.Request, _: str) -> web.StreamResponse:
    limit, board = inputs.query(request, wire.SeasonPreviewQuery).limit, request.match_info["board"]
    return large_json_response(
        request, answers.season_preview(await seasons.preview(request.app[COMMANDS].seasons, board, limit))
    )


def _move_plan(plans: Sequence[PlannedMove], ids: Sequence[int]) -> answers.MovePlanAnswer:
    return answers.move_plan(plans, ids, fleet.plan_code(plans))


def _is_preview(request: web.Request) -> bool:
    return inputs.query(request, wire.PreviewQuery).preview == "true"
