"""What operators do to one player over HTTP, each with a preview; `name` is the name of the admin key."""

from aiohttp import web

from gameserver.commands import foresight, player_changes
from gameserver.commands.player_changes import Gift
from gameserver.commands.results import ChangedBy, Foreseen
from gameserver.transport import answers, wire
from gameserver.transport.http import inputs
from gameserver.transport.http.replies import json_response
from gameserver.transport.keys import COMMANDS, RULES


async def rename_player(request: web.Request, name: str) -> web.Response:
    fields, player_id = await inputs.body(request, wire.RenamePlayer), inputs.path_player(request)
    commands = request.app[COMMANDS]
    context = commands.player_changes
    if _is_preview(request):
        return _answer(
            request, await foresight.renaming(commands.player_pages, commands.accounts, player_id, fields.name)
        )
    by = ChangedBy(name, fields.reason, inputs.command_id(request), fields.expected_version)
    return _answer(request, await player_changes.rename(context, player_id, fields.name, by))


async def end_sessions(request: web.Request, name: str) -> web.Response:
    return await _end_sessions(request, name, None)


async def end_session(request: web.Request, name: str) -> web.Response:
    return await _end_sessions(request, name, inputs.path_listed_session(request))


async def _end_sessions(request: web.Request, name: str, listed_id: str | None) -> web.Response:
    fields, player_id = inputs.query(request, wire.ReasonedChangeQuery), inputs.path_player(request)
    context = request.app[COMMANDS].player_changes
    if fields.preview == "true":
        return _answer(
            request, await foresight.ending_sessions(request.app[COMMANDS].player_pages, player_id, listed_id)
        )
    by = ChangedBy(name, fields.reason, inputs.command_id(request))
    return _answer(request, await player_changes.end_sessions(context, player_id, listed_id, by))


async def send_mail(request: web.Request, name: str) -> web.Response:
    fields, player_id = await inputs.body(request, wire.MailToPlayer), inputs.path_player(request)
    context, gift = request.app[COMMANDS].player_changes, Gift(fields.text, tuple(sorted(fields.items.items())))
    player_changes.require_items(context, gift)
    if _is_preview(request):
        return _answer(request, await foresight.sending(request.app[COMMANDS].player_pages, player_id, gift.items))
    by = ChangedBy(name, fields.reason, inputs.command_id(request))
    return _answer(request, await player_changes.send(context, player_id, gift, by))


async def delete_player(request: web.Request, name: str) -> web.Response:
    fields, player_id = inputs.query(request, wire.ReasonedChangeQuery), inputs.path_player(request)
    context = request.app[COMMANDS].player_changes
    if fields.preview == "true":
        return _answer(request, await foresight.deleting(request.app[COMMANDS].player_pages, player_id))
    by = ChangedBy(name, fields.reason, inputs.command_id(request))
    return _answer(request, await player_changes.delete(context, player_id, by))


def _is_preview(request: web.Request) -> bool:
    return inputs.query(request, wire.PreviewQuery).preview == "true"


def _answer(request: web.Request, found: Foreseen) -> web.Response:
    return json_response(answers.foreseen(found, request.app[RULES].game))
