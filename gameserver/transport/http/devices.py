"""Devices over HTTP: listed, added and removed by their player, listed and ended by operators."""

from aiohttp import web

from gameserver.commands import devices, foresight, moderation
from gameserver.commands.devices import EndedDevice
from gameserver.commands.results import Session
from gameserver.transport import answers, wire
from gameserver.transport.callers import callers, counting
from gameserver.transport.http.inputs import body, command_id, path_device, path_player, query
from gameserver.transport.http.replies import json_response, no_content
from gameserver.transport.keys import COMMANDS, RULES


async def list_devices(request: web.Request, session: Session) -> web.Response:
    counting.count_read(request, session)
    return json_response(answers.device_list(await devices.own_devices(request.app[COMMANDS].accounts, session)))


async def add_device(request: web.Request, session: Session) -> web.Response:
    fields, key = await body(request, wire.NewDevice), command_id(request)
    counting.count_key_change(request, session)
    accounts, label = request.app[COMMANDS].accounts, callers.origin(request, fields.label).label
    return json_response(
        answers.device(await devices.add_device(accounts, session, fields.device, label, key)), status=201
    )


async def remove_device(request: web.Request, session: Session) -> web.Response:
    device_id, key, origin = path_device(request), command_id(request), callers.origin(request, None)
    counting.count_key_change(request, session)
    accounts = request.app[COMMANDS].accounts
    token, opened = await devices.remove_device(accounts, session, device_id, key, origin)
    return json_response({"session": answers.session(token, opened)})


async def list_players_devices(request: web.Request, _: str) -> web.Response:
    return json_response(
        answers.device_list(await devices.devices(request.app[COMMANDS].accounts, path_player(request)))
    )


async def end_device(request: web.Request, name: str) -> web.Response:
    fields, commands = query(request, wire.ReasonedChangeQuery), request.app[COMMANDS]
    player_id, device_id = path_player(request), path_device(request)
    if fields.preview == "true":
        found = await foresight.ending_device(commands.player_pages, commands.accounts, player_id, device_id)
        return json_response(answers.foreseen(found, request.app[RULES].game))
    ended = EndedDevice(command_id(request), player_id, device_id)
    await moderation.end_device(commands.operations, commands.accounts, name, fields.reason, ended)
    return no_content()
