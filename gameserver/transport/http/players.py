"""The HTTP door of players: decode, ask a command, encode."""

from aiohttp import web

from gameserver.commands import accounts, credentials, identity, mail, play
from gameserver.commands.accounts import Application
from gameserver.commands.credentials import NewPassword
from gameserver.commands.results import Receipt
from gameserver.rules.errors import BadInput, FieldProblem
from gameserver.transport import answers, wire
from gameserver.transport.callers import callers
from gameserver.transport.http.asking import bearer, body, command_id, player_id, query, session, session_id
from gameserver.transport.http.replies import answer
from gameserver.transport.keys import BACKEND


async def sign_up(request: web.Request) -> web.Response:
    asked = await body(request, wire.SignUp)
    application = Application(asked.name, asked.class_name, asked.device, asked.password)
    key, address, origin = command_id(request), callers.address(request), callers.origin(request, asked.label)
    welcome = await accounts.sign_up(request.app[BACKEND], application, key, address, origin)
    return answer({**answers.welcome(welcome), "replayed": welcome.replayed}, status=201)


async def sign_in(request: web.Request) -> web.Response:
    asked = await body(request, wire.SignIn)
    backend, address, origin = request.app[BACKEND], callers.address(request), callers.origin(request, asked.label)
    match asked.device, asked.name, asked.password:
        case str(device), None, None:
            welcome = await accounts.sign_in_by_device(backend, device, address, origin)
        case None, str(name), str(password):
            welcome = await accounts.sign_in_by_password(backend, name, password, address, origin)
        case _:
            problem = FieldProblem("device", "give either device, or name and password")
            raise BadInput("The request can't be used.", errors=[problem])
    return answer(answers.welcome(welcome), status=201)


async def list_sessions(request: web.Request) -> web.Response:
    mine = await session(request)
    return answer(answers.sessions(await accounts.sessions(request.app[BACKEND], mine), mine))


async def sign_out(request: web.Request) -> web.Response:
    await accounts.sign_out(request.app[BACKEND], await session(request))
    return web.Response(status=204)


async def sign_out_elsewhere(request: web.Request) -> web.Response:
    mine = await session(request)
    await accounts.sign_out_elsewhere(request.app[BACKEND], mine, session_id(request.match_info["id"]))
    return web.Response(status=204)


async def change_password(request: web.Request) -> web.Response:
    mine = await session(request)
    asked = await body(request, wire.PasswordChange)
    wanted = NewPassword(asked.new, asked.old, callers.address(request))
    token, fresh = await credentials.change_password(request.app[BACKEND], mine, wanted, callers.origin(request))
    return answer({"session": answers.session(token, fresh)})


async def sign_out_everywhere(request: web.Request) -> web.Response:
    await accounts.sign_out_everywhere(request.app[BACKEND], await session(request))
    return web.Response(status=204)


async def read_me(request: web.Request) -> web.Response:
    mine = await session(request)
    return await _one(request, mine.player_id)


async def rename(request: web.Request) -> web.Response:
    mine = await session(request)
    asked = await body(request, wire.Rename)
    receipt = await identity.rename(callers.backend(request), mine, asked.name, command_id(request))
    return _written(receipt, answers.rename(receipt))


async def delete_me(request: web.Request) -> web.Response:
    await identity.delete(request.app[BACKEND], bearer(request), command_id(request), callers.address(request))
    return web.Response(status=204)


async def read_player(request: web.Request) -> web.Response:
    await session(request)
    return await _one(request, player_id(request.match_info["id"]))


async def read_players(request: web.Request) -> web.Response:
    await session(request)
    backend = request.app[BACKEND]
    wanted = [player_id(each, "ids") for each in query(request, wire.PlayersQuery).ids]
    found = await play.read_many(backend, wanted)
    return answer({"players": [answers.player_now(each, backend.rulebook.game) for each in found]})


async def _one(request: web.Request, wanted: int) -> web.Response:
    backend = request.app[BACKEND]
    who = await play.read(backend, wanted)
    return answer(answers.player_now(who, backend.rulebook.game))


async def list_actions(request: web.Request) -> web.Response:
    schemas = request.app[BACKEND].rulebook.actions()
    return answer({"actions": [{"name": name, "args": schema} for name, schema in schemas.items()]})


async def list_classes(request: web.Request) -> web.Response:
    found = request.app[BACKEND].rulebook.game.classes.items()
    return answer({"classes": [{"name": name, **each.model_dump()} for name, each in found]})


async def act(request: web.Request) -> web.Response:
    mine = await session(request)
    asked = await body(request, wire.Act)
    receipt = await play.act(callers.backend(request), mine, asked.action, asked.args, command_id(request))
    return _written(receipt, answers.act(receipt))


def _written(receipt: Receipt, told: object) -> web.Response:
    response = answer(told)
    response.headers["Consistency-Token"] = f"{receipt.player.id}:{receipt.player.version}"
    return response


async def read_ledger(request: web.Request) -> web.Response:
    mine = await session(request)
    asked = query(request, wire.LedgerQuery)
    return answer(answers.ledger(await play.history(request.app[BACKEND], mine, asked.limit, asked.cursor)))


async def read_items(request: web.Request) -> web.Response:
    backend = request.app[BACKEND]
    return answer(answers.items(await play.items(backend, await session(request)), backend.rulebook.game))


async def read_inbox(request: web.Request) -> web.Response:
    mine = await session(request)
    asked = query(request, wire.InboxQuery)
    return answer(answers.inbox(await mail.inbox(request.app[BACKEND], mine, asked.limit, asked.cursor)))


async def forget_mail(request: web.Request) -> web.Response:
    mine = await session(request)
    await mail.forget(request.app[BACKEND], mine, request.match_info["mail_id"])
    return web.Response(status=204)
