"""An operator's page of a player over HTTP; `name` is the name of the admin key, for the audit log."""

from aiohttp import web

from gameserver.commands import player_page
from gameserver.commands.moments import moment_of
from gameserver.commands.results import TimelineFilter
from gameserver.transport import answers, wire
from gameserver.transport.http import inputs
from gameserver.transport.http.replies import json_response, large_json_response
from gameserver.transport.keys import COMMANDS, RULEBOOK


async def read_page(request: web.Request, _: str) -> web.Response:
    found = await player_page.page(request.app[COMMANDS].player_pages, inputs.path_player(request))
    return large_json_response(request, answers.player_page(found, request.app[RULEBOOK].game))


async def read_timeline(request: web.Request, _: str) -> web.Response:
    fields = inputs.query(request, wire.TimelineQuery)
    wanted = TimelineFilter(
        fields.limit,
        None if fields.cursor is None else int(fields.cursor),
        fields.actions,
        None if fields.since is None else moment_of(fields.since, "since"),
        None if fields.until is None else moment_of(fields.until, "until"),
    )
    found = await player_page.timeline(request.app[COMMANDS].player_pages, inputs.path_player(request), wanted)
    return large_json_response(request, answers.timeline(found))


async def read_state(request: web.Request, _: str) -> web.Response:
    at = inputs.query(request, wire.MomentQuery).at
    found = await player_page.state_at(request.app[COMMANDS].player_pages, inputs.path_player(request), at)
    return json_response(answers.past_state(found))


async def add_note(request: web.Request, name: str) -> web.Response:
    fields = await inputs.body(request, wire.NewNote)
    context, player_id = request.app[COMMANDS].player_pages, inputs.path_player(request)
    added = await player_page.note(context, player_id, name, fields.text, inputs.command_id(request))
    return json_response(answers.note(added), status=201)
