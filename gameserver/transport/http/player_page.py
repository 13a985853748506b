"""An operator's page of a player over HTTP; `name` is the name of the admin key, for the audit log."""

import contextlib
from collections.abc import AsyncGenerator

from aiohttp import web

from gameserver.commands import player_export, player_lists, player_page
from gameserver.commands.moments import moment_of
from gameserver.commands.results import ChangedBy, ExportPart, Session, TimelineFilter
from gameserver.exports import written
from gameserver.transport import answers, wire
from gameserver.transport.callers import callers, counting
from gameserver.transport.http import inputs
from gameserver.transport.http.replies import json_response, large_json_response
from gameserver.transport.http.streams import Sheet, first_of, stream
from gameserver.transport.keys import COMMANDS, RULES


async def read_page(request: web.Request, _: str) -> web.StreamResponse:
    found = await player_page.page(request.app[COMMANDS].player_pages, inputs.path_player(request))
    return large_json_response(request, answers.player_page(found, request.app[RULES].game))


async def read_timeline(request: web.Request, _: str) -> web.StreamResponse:
    fields = inputs.query(request, wire.TimelineQuery)
    wanted = TimelineFilter(
        fields.limit,
        fields.cursor,
        fields.actions,
        None if fields.since is None else moment_of(fields.since, "since"),
        None if fields.until is None else moment_of(fields.until, "until"),
    )
    found = await player_page.timeline(request.app[COMMANDS].player_pages, inputs.path_player(request), wanted)
    return large_json_response(request, answers.timeline(found))


async def read_state(request: web.Request, _: str) -> web.Response:
    fields, context = inputs.query(request, wire.MomentQuery), request.app[COMMANDS].player_pages
    found = await player_page.state_at(context, inputs.path_player(request), fields.at, fields.version)
    return json_response(answers.past_state(found, request.app[RULES].game))


async def read_letters(request: web.Request, _: str) -> web.StreamResponse:
    fields, context = inputs.query(request, wire.InboxQuery), request.app[COMMANDS].player_pages
    found = await player_lists.letters(context, inputs.path_player(request), fields.limit, fields.cursor)
    return large_json_response(request, answers.received_letters(found))


async def read_places(request: web.Request, _: str) -> web.StreamResponse:
    fields, context = inputs.query(request, wire.LedgerQuery), request.app[COMMANDS].player_pages
    found = await player_lists.past_places(context, inputs.path_player(request), fields.limit, fields.cursor)
    return large_json_response(request, answers.past_places(found))


async def add_note(request: web.Request, name: str) -> web.Response:
    fields = await inputs.body(request, wire.NewNote)
    context, player_id = request.app[COMMANDS].player_pages, inputs.path_player(request)
    by = ChangedBy(name, fields.reason, inputs.command_id(request))
    added = await player_page.note(context, player_id, by, fields.text)
    return json_response(answers.note(added), status=201)


async def export_player(request: web.Request, _: str) -> web.StreamResponse:
    fields = inputs.query(request, wire.DownloadQuery)
    parts = player_export.of_player(request.app[COMMANDS].player_exports, inputs.path_player(request))
    if fields.check == "true":
        await first_of(parts)
        return web.Response(status=204)
    return await _exported(request, parts)


async def export_me(request: web.Request, session: Session) -> web.StreamResponse:
    counting.count_read(request, session)
    counting.count_export(request, session)
    parts = player_export.own(request.app[COMMANDS].player_exports, session, callers.address(request))
    return await _exported(request, _paced(request, session, parts))


async def _paced(
    request: web.Request, session: Session, parts: AsyncGenerator[ExportPart, None]
) -> AsyncGenerator[ExportPart, None]:
    """Each part as soon as the player may read it: what is long takes its time, and not the node's.

    None once the session has ended: then it raises NotAuthenticated.
    """
    async with contextlib.aclosing(parts):
        async for part in parts:
            yield part
            await counting.await_read(request, session, max(1, part.rows))
            await inputs.session(request)


async def _exported(request: web.Request, parts: AsyncGenerator[ExportPart, None]) -> web.StreamResponse:
    game = request.app[RULES].game
    async with contextlib.aclosing(parts):
        lines = (answers.export_part(part, game) async for part in parts)
        return await stream(request, lines, Sheet((), written(dict, (), "ndjson"), "ndjson", "player"))
