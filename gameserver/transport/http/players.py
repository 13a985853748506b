"""Players over HTTP: sign-up, reading, renaming, deleting and acting."""

from aiohttp import web

from gameserver.commands import identity, play
from gameserver.commands import sign_up as signing_up
from gameserver.commands.accounts import Application
from gameserver.commands.results import Receipt, Session
from gameserver.transport import answers, wire
from gameserver.transport.callers import callers
from gameserver.transport.http.asking import body, command_id, player_id, query
from gameserver.transport.http.replies import answer
from gameserver.transport.keys import COMMANDS, RULEBOOK


async def sign_up(request: web.Request) -> web.Response:
    fields = await body(request, wire.SignUp)
    application = Application(fields.name, fields.class_name, fields.device, fields.password)
    key, address, origin = command_id(request), callers.address(request), callers.origin(request, fields.label)
    welcome = await signing_up.sign_up(request.app[COMMANDS].accounts, application, key, address, origin)
    return answer(answers.sign_up(welcome), status=201)


async def read_me(request: web.Request, session: Session) -> web.Response:
    return await _one(request, session.player_id)


async def rename(request: web.Request, session: Session) -> web.Response:
    fields = await body(request, wire.Rename)
    callers.count_action(request, session)
    receipt = await identity.rename(request.app[COMMANDS].accounts, session, fields.name, command_id(request))
    return _written(receipt, answers.rename(receipt))


async def delete_me(request: web.Request, token: str) -> web.Response:
    await identity.delete(request.app[COMMANDS].accounts, token, command_id(request), callers.address(request))
    return web.Response(status=204)


async def read_player(request: web.Request, _: Session) -> web.Response:
    return await _one(request, player_id(request.match_info["id"]))


async def read_players(request: web.Request, _: Session) -> web.Response:
    ids = [player_id(text, "ids") for text in query(request, wire.PlayersQuery).ids]
    players = await play.read_many(request.app[COMMANDS].play, ids)
    return answer(answers.player_list(players, request.app[RULEBOOK].game))


async def _one(request: web.Request, wanted: int) -> web.Response:
    player = await play.read(request.app[COMMANDS].play, wanted)
    return answer(answers.player_now(player, request.app[RULEBOOK].game))


async def act(request: web.Request, session: Session) -> web.Response:
    fields = await body(request, wire.Act)
    key = command_id(request)
    callers.count_action(request, session)
    receipt = await play.act(request.app[COMMANDS].play, session, fields.action, fields.args, key)
    return _written(receipt, answers.act(receipt))


def _written(receipt: Receipt, shown: object) -> web.Response:
    response = answer(shown)
    response.headers["Consistency-Token"] = f"{receipt.player.id}:{receipt.player.version}"
    return response


async def read_ledger(request: web.Request, session: Session) -> web.Response:
    fields = query(request, wire.LedgerQuery)
    return answer(answers.ledger(await play.history(request.app[COMMANDS].play, session, fields.limit, fields.cursor)))


async def read_items(request: web.Request, session: Session) -> web.Response:
    stacks = await play.items(request.app[COMMANDS].play, session)
    return answer(answers.items(stacks, request.app[RULEBOOK].game))
