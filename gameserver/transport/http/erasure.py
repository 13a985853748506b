"""Erasing players over HTTP; `name` is the name of the admin key, for the audit log."""

from aiohttp import web

from gameserver.commands import erasure, foresight
from gameserver.commands.results import ChangedBy
from gameserver.transport import answers, wire
from gameserver.transport.http import inputs
from gameserver.transport.http.replies import json_response
from gameserver.transport.keys import COMMANDS


async def erase(request: web.Request, name: str) -> web.Response:
    fields, player_id = await inputs.body(request, wire.Because), inputs.path_player(request)
    commands = request.app[COMMANDS]
    if inputs.query(request, wire.PreviewQuery).preview == "true":
        found = await foresight.erasing(commands.player_pages, commands.erasures, player_id)
        return json_response(answers.erasure_preview(player_id, found))
    by = ChangedBy(name, fields.reason, inputs.command_id(request))
    receipt = await erasure.erase(commands.erasures, player_id, by)
    return json_response(answers.erasure(receipt))
