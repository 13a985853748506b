"""A player's inbox over HTTP."""

from aiohttp import web

from gameserver.commands import mail
from gameserver.commands.results import Session
from gameserver.transport import answers, wire
from gameserver.transport.http.asking import query
from gameserver.transport.http.replies import answer
from gameserver.transport.keys import COMMANDS


async def read_inbox(request: web.Request, session: Session) -> web.Response:
    fields = query(request, wire.InboxQuery)
    return answer(answers.inbox(await mail.inbox(request.app[COMMANDS].play, session, fields.limit, fields.cursor)))


async def forget_mail(request: web.Request, session: Session) -> web.Response:
    await mail.forget(request.app[COMMANDS].play, session, request.match_info["mail_id"])
    return web.Response(status=204)
