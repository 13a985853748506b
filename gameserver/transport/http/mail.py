"""A player's inbox over HTTP."""

from aiohttp import web

from gameserver.commands import mail
from gameserver.commands.results import Session
from gameserver.transport import answers, wire
from gameserver.transport.callers import counting
from gameserver.transport.http.inputs import query
from gameserver.transport.http.replies import large_json_response, no_content
from gameserver.transport.keys import COMMANDS


async def read_inbox(request: web.Request, session: Session) -> web.StreamResponse:
    fields = query(request, wire.InboxQuery)
    counting.count_read(request, session, fields.limit)
    page = await mail.inbox(request.app[COMMANDS].play, session, fields.limit, fields.cursor)
    return large_json_response(request, answers.inbox(page))


async def forget_inbox(request: web.Request, session: Session) -> web.Response:
    counting.count_list_change(request, session)
    await mail.forget_every(request.app[COMMANDS].play, session)
    return no_content()


async def forget_mail(request: web.Request, session: Session) -> web.Response:
    counting.count_list_change(request, session)
    await mail.forget(request.app[COMMANDS].play, session, request.match_info["mail_id"])
    return no_content()
