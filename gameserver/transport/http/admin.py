"""Operators' questions and changes over HTTP; `name` is the name of the admin key, for the audit log."""

from dataclasses import replace

from aiohttp import web

from gameserver.commands import board_repair, foresight, moderation, moments, operations
from gameserver.commands.results import BanChange, ChangedBy
from gameserver.transport import answers, wire
from gameserver.transport.http import inputs
from gameserver.transport.http.replies import json_response, large_json_response
from gameserver.transport.keys import CLOCK, COMMANDS, RULES


async def read_slots(request: web.Request, _: str) -> web.StreamResponse:
    return large_json_response(request, answers.slots(await operations.slots(request.app[COMMANDS].operations)))


async def read_databases(request: web.Request, _: str) -> web.Response:
    return json_response(
        answers.databases(await operations.databases(request.app[COMMANDS].operations), request.app[CLOCK]())
    )


async def read_stats(request: web.Request, _: str) -> web.StreamResponse:
    groups, as_of = await operations.stats(request.app[COMMANDS].operations)
    return large_json_response(request, answers.counts(groups, as_of))


async def read_nodes(request: web.Request, _: str) -> web.StreamResponse:
    ids = [int(text) for text in inputs.query(request, wire.NodesQuery).ids]
    running = await operations.nodes(request.app[COMMANDS].operations, ids)
    return large_json_response(request, answers.nodes(running, ids))


async def proclaim(request: web.Request, name: str) -> web.Response:
    fields = await inputs.body(request, wire.Notice)
    recipient = None if fields.player is None else int(fields.player)
    context = request.app[COMMANDS].operations
    by = ChangedBy(name, fields.reason, inputs.command_id(request))
    number = await operations.proclaim(context, by, fields.text, recipient)
    return json_response({"number": number}, status=201)


async def ban(request: web.Request, name: str) -> web.Response:
    fields = await inputs.body(request, wire.BanPlayer)
    until = None if fields.until is None else moments.moment_of(fields.until, "until")
    change = BanChange(
        inputs.command_id(request), inputs.path_player(request), banned=True, reason=fields.reason, until=until
    )
    change = replace(change, said=fields.said or "")
    if inputs.query(request, wire.PreviewQuery).preview != "true":
        return await _change_ban(request, name, change)
    found = await foresight.banning(request.app[COMMANDS].player_pages, change.player_id, until)
    return json_response(answers.ban_preview(found, request.app[RULES].game, change))


async def lift_ban(request: web.Request, name: str) -> web.Response:
    fields = inputs.query(request, wire.ReasonedChangeQuery)
    change = BanChange(inputs.command_id(request), inputs.path_player(request), banned=False, reason=fields.reason)
    if fields.preview != "true":
        return await _change_ban(request, name, change)
    found = await foresight.lifting(request.app[COMMANDS].player_pages, change.player_id)
    return json_response(answers.ban_preview(found, request.app[RULES].game, change))


async def _change_ban(request: web.Request, name: str, change: BanChange) -> web.Response:
    state = await moderation.change_ban(request.app[COMMANDS].operations, name, change)
    return json_response(answers.ban_state(state, request.app[RULES].game, change))


async def check_board(request: web.Request, _: str) -> web.StreamResponse:
    fields, board = inputs.query(request, wire.CheckQuery), request.match_info["board"]
    context = request.app[COMMANDS].board_repair
    contest, report = await board_repair.check(context, board, fields.season, fields.sample, repair=False)
    return large_json_response(request, answers.verdict(contest, report))


async def rebuild_board(request: web.Request, name: str) -> web.Response:
    fields, board = await inputs.body(request, wire.Rebuild), request.match_info["board"]
    context = request.app[COMMANDS].board_repair
    by = ChangedBy(name, fields.reason, inputs.command_id(request))
    generation = await board_repair.rebuild(context, by, board, fields.season or "current")
    return json_response({"generation": generation}, status=202)
