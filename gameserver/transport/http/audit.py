"""The audit log over HTTP."""

from aiohttp import web

from gameserver.commands import audit
from gameserver.commands.results import AuditQuestion
from gameserver.exports import written
from gameserver.transport import answers, wire
from gameserver.transport.http import inputs
from gameserver.transport.http.replies import large_json_response
from gameserver.transport.http.streams import Sheet, first_of, stream
from gameserver.transport.keys import COMMANDS


async def read_audit(request: web.Request, _: str) -> web.StreamResponse:
    fields = inputs.query(request, wire.AuditQuery)
    question = _question(fields, fields.limit, None if fields.cursor is None else int(fields.cursor))
    entries, more = await audit.find(request.app[COMMANDS].operations, question)
    return large_json_response(request, answers.audit(entries, str(entries[-1].id) if more else None))


async def export_audit(request: web.Request, _: str) -> web.StreamResponse:
    fields = inputs.query(request, wire.AuditExportQuery)
    pages = audit.export(request.app[COMMANDS].operations, _question(fields, 1, None))
    if fields.check == "true":
        await first_of(pages)
        return web.Response(status=204)
    names = answers.AUDIT_COLUMNS
    sheet = Sheet(names, written(answers.audit_entry, names, fields.format), fields.format, "audit")
    return await stream(request, pages, sheet)


def _question(fields: wire.AuditFilter, limit: int, before: int | None) -> AuditQuestion:
    return AuditQuestion(
        limit,
        fields.admin,
        fields.action,
        fields.target,
        fields.command_id,
        fields.text,
        fields.since,
        fields.until,
        before,
    )
