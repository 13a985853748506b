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
    typed, command = request.match_info["name"], inputs.command_id(request)
    title = title_to_save(typed, await saved_queries.name_of(context.operations, required(typed), command))
    change = AuditedChange(name, "save_query", title, fields.reason, command_id=command)
    choice = rankings.segment_choice(_filter(fields.query))
    saved = await saved_queries.save(
        context.operations, context.accounts, change, fields.query, choice, replace_other=fields.replace is not False
    )
    return json_response(answers.saved_query(saved))


async def delete_query(request: web.Request, name: str) -> web.Response:
    reason = inputs.query(request, wire.ReasonQuery).reason
    operations, command = request.app[COMMANDS].operations, inputs.command_id(request)
    typed = required(request.match_info["name"])
    title = await saved_queries.name_of(operations, typed, command) or composed(typed)
    change = AuditedChange(name, "delete_query", title, reason, command_id=command)
    await saved_queries.remove(operations, change)
    return web.Response(status=204)


def required(typed: str) -> str:
    """The text, which may be a query's name. Raises BadInput."""
    composed(typed)
    return typed


def composed(typed: str) -> str:
    """The name of a query that is typed so, composed. Raises BadInput."""
    return wire.parse(wire.KnownQueryName, {"name": typed}).name


def title_to_save(typed: str, known: str | None) -> str:
    """What is saved under this text is called so; `known` is what `saved_queries.name_of` says. Raises BadInput."""
    return wire.parse(wire.QueryName, {"name": typed}).name if known is None else known


def _filter(query: dict[str, str]) -> wire.SegmentFilter:
    """Raises BadInput, with the parameters' names behind `query.`."""
    try:
        return wire.parse(wire.SegmentFilter, query)
    except BadInput as error:
        problems = [FieldProblem(f"query.{found.field}", found.problem) for found in error.errors]
        raise BadInput("The query can't be used.", errors=problems) from error
