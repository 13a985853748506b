"""Operators' corrections of players over HTTP; `name` is the name of the admin key, for the audit log."""

from aiohttp import web

from gameserver.commands import corrections
from gameserver.commands.results import ChangedBy, Order
from gameserver.rules.corrections import Correct, RollBack, Undo
from gameserver.transport import answers, wire
from gameserver.transport.http import inputs
from gameserver.transport.http.replies import json_response
from gameserver.transport.keys import COMMANDS, RULES


async def correct(request: web.Request, name: str) -> web.Response:
    fields = await inputs.body(request, wire.CorrectPlayer)
    values = {"hp": fields.hp, "exp": fields.exp, "class": fields.class_name}
    changes = {"items": fields.items, "data": fields.data}
    order = Correct.model_validate(changes | {key: value for key, value in values.items() if value is not None})
    return await _change(request, name, fields, order)


async def undo(request: web.Request, name: str) -> web.Response:
    fields = await inputs.body(request, wire.UndoCommand)
    return await _change(request, name, fields, Undo(command_id=fields.command_id))


async def roll_back(request: web.Request, name: str) -> web.Response:
    fields = await inputs.body(request, wire.RollBackPlayer)
    return await _change(request, name, fields, RollBack(to=fields.to, to_version=fields.to_version))


async def _change(request: web.Request, name: str, fields: wire.OnVersion, order: Order) -> web.Response:
    context, player_id = request.app[COMMANDS].corrections, inputs.path_player(request)
    game = request.app[RULES].game
    if inputs.query(request, wire.PreviewQuery).preview == "true":
        return json_response(answers.corrected(await corrections.preview(context, player_id, order), game, None))
    command_id = inputs.command_id(request)
    by = ChangedBy(name, fields.reason, command_id, fields.expected_version)
    done = await corrections.carry_out(context, player_id, order, by)
    return json_response(answers.corrected(done, game, command_id))
