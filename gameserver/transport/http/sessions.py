"""Sessions over HTTP: sign-in, the list of sessions, sign-out and the password."""

from aiohttp import web

from gameserver.commands import credentials, sessions
from gameserver.commands.credentials import NewPassword
from gameserver.commands.results import Session
from gameserver.commands.sign_in import sign_in_by_device, sign_in_by_password
from gameserver.rules.errors import BadInput, FieldProblem
from gameserver.transport import answers, wire
from gameserver.transport.callers import callers, counting
from gameserver.transport.http import consistency
from gameserver.transport.http.inputs import body, path_session
from gameserver.transport.http.json_answer import json_answer
from gameserver.transport.http.replies import json_response, no_content
from gameserver.transport.keys import COMMANDS


async def sign_in(request: web.Request) -> web.StreamResponse:
    fields = await body(request, wire.SignIn)
    accounts = request.app[COMMANDS].accounts
    address, origin = callers.address(request), callers.origin(request, fields.label)
    match fields.device, fields.name, fields.password:
        case str(device), None, None:
            welcome = await sign_in_by_device(accounts, device, address, origin)
        case None, str(name), str(password):
            welcome = await sign_in_by_password(accounts, name, password, address, origin)
        case _:
            problem = FieldProblem("device", "give either device, or name and password")
            raise BadInput("The request can't be used.", errors=[problem])
    return consistency.mark(json_answer(answers.welcome(welcome), status=201), welcome.player)


async def list_sessions(request: web.Request, session: Session) -> web.Response:
    counting.count_read(request, session)
    return json_response(
        answers.session_list(await sessions.sessions(request.app[COMMANDS].accounts, session), session)
    )


async def sign_out(request: web.Request, session: Session) -> web.Response:
    await sessions.sign_out(request.app[COMMANDS].accounts, session)
    return no_content()


async def sign_out_elsewhere(request: web.Request, session: Session) -> web.Response:
    counting.count_read(request, session)
    await sessions.sign_out_elsewhere(request.app[COMMANDS].accounts, session, path_session(request))
    return no_content()


async def sign_out_everywhere(request: web.Request, session: Session) -> web.Response:
    await sessions.sign_out_everywhere(request.app[COMMANDS].accounts, session)
    return no_content()


async def change_password(request: web.Request, session: Session) -> web.Response:
    fields = await body(request, wire.PasswordChange)
    change = NewPassword(fields.new, fields.old, callers.address(request))
    accounts, origin = request.app[COMMANDS].accounts, callers.origin(request)
    token, opened = await credentials.change_password(accounts, session, change, origin)
    return json_response({"session": answers.session(token, opened)})
