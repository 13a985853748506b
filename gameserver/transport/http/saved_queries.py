"""Saved queries of rankings over HTTP; `name` is the name of the admin key, for the audit log."""

from aiohttp import web

from gameserver.commands import saved_queries
from gameserver.commands.results import AuditedChange
from gameserver.rules.errors import BadInput, FieldProblem
from gameserver.transport import answers, wire
from gameserver.transport.http import inputs, rankings
from gameserver.transport.http.replies import json_response, large_json_response
from gameserver.transport.keys import COMMANDS


async def list_queries(request: web.Request, _: str) -> web.StreamResponse:
    found = await saved_queries.listed(request.app[COMMANDS].operations)
    return large_json_response(request, answers.saved_queries(found))


async def save_query(request: web.Request, name: str) -> web.Response:
    fields, context = await inputs.body(request, wire.SaveQuery), request.app[COMMANDS]
    # What earlier versions saved may be replaced under its name; a new one is composed.
    known = await saved_queries.found(context.operations, _title(request, wire.KnownQueryName))
    title = _title(request, wire.QueryName) if known is None else known.name
    change = AuditedChange(name, "save_query", title, fields.reason, command_id=inputs.command_id(request))
    choice = rankings.segment_choice(_filter(fields.query))
    saved = await saved_queries.save(
        context.operations, context.accounts, change, fields.query, choice, replace_other=fields.replace is not False
    )
    return json_response(answers.saved_query(saved))


async def delete_query(request: web.Request, name: str) -> web.Response:
    reason = inputs.query(request, wire.ReasonQuery).reason
    operations, title = request.app[COMMANDS].operations, _title(request, wire.KnownQueryName)
    known = await saved_queries.found(operations, title)
    title = title if known is None else known.name
    change = AuditedChange(name, "delete_query", title, reason, command_id=inputs.command_id(request))
    await saved_queries.remove(operations, change)
    return web.Response(status=204)


def _title(request: web.Request, model: type[wire.QueryName | wire.KnownQueryName]) -> str:
    """The name in the path. Raises BadInput."""
    return wire.parse(model, {"name": request.match_info["name"]}).name


def _filter(query: dict[str, str]) -> wire.SegmentFilter:
    """Raises BadInput, with the parameters' names behind `query.`."""
    try:
        return wire.parse(wire.SegmentFilter, query)
    except BadInput as error:
        problems = [FieldProblem(f"query.{found.field}", found.problem) for found in error.errors]
        raise BadInput("The query can't be used.", errors=problems) from error
