"""Players over HTTP: sign-up, reading, renaming, deleting and acting."""

from aiohttp import web

from gameserver.commands import identity, play
from gameserver.commands import sign_up as signing_up
from gameserver.commands.accounts import Application
from gameserver.commands.results import Session
from gameserver.transport import answers, wire
from gameserver.transport.callers import callers, counting
from gameserver.transport.http import consistency
from gameserver.transport.http.inputs import body, command_id, has_command_id, path_player, query
from gameserver.transport.http.json_answer import json_answer
from gameserver.transport.http.replies import large_json_response, no_content
from gameserver.transport.keys import COMMANDS, RULES


async def sign_up(request: web.Request) -> web.StreamResponse:
    fields = await body(request, wire.SignUp)
    application = Application(fields.name, fields.class_name, fields.device, fields.password)
    key, address, origin = command_id(request), callers.address(request), callers.origin(request, fields.label)
    welcome = await signing_up.sign_up(
        request.app[COMMANDS].accounts, application, key, address, origin, repeatable=has_command_id(request)
    )
    return consistency.mark(json_answer(answers.sign_up(welcome), status=201), welcome.player)


async def read_me(request: web.Request, session: Session) -> web.StreamResponse:
    return await _player(request, session.player_id)


async def rename(request: web.Request, session: Session) -> web.StreamResponse:
    fields = await body(request, wire.Rename)
    counting.count_key_change(request, session)
    receipt = await identity.rename(request.app[COMMANDS].accounts, session, fields.name, command_id(request))
    return consistency.mark(json_answer(answers.rename(receipt)), receipt.player)


async def delete_me(request: web.Request, token: str) -> web.Response:
    await identity.delete(request.app[COMMANDS].accounts, token, command_id(request), callers.address(request))
    return no_content()


async def read_player(request: web.Request, _: Session) -> web.StreamResponse:
    return await _player(request, path_player(request))


async def read_players(request: web.Request, _: Session) -> web.StreamResponse:
    fields = query(request, wire.PlayersQuery)
    ids = [int(text) for text in fields.ids]
    counting.entry_counter(request)(len(ids))
    wanted = consistency.wanted(request, ids, fields.max_staleness)
    players = await play.read_many(request.app[COMMANDS].play, ids, wanted)
    return large_json_response(request, answers.player_list(players, request.app[RULES].game))


async def _player(request: web.Request, player_id: int) -> web.StreamResponse:
    max_staleness = query(request, wire.PlayerQuery).max_staleness if request.query_string else None
    wanted = consistency.wanted(request, (player_id,), max_staleness)
    player = await play.read(request.app[COMMANDS].play, player_id, wanted)
    return consistency.mark(json_answer(answers.player_now(player, request.app[RULES].game)), player)


async def act(request: web.Request, session: Session) -> web.StreamResponse:
    fields = await body(request, wire.Act)
    key = command_id(request)
    counting.count_action(request, session)
    commands, repeatable = request.app[COMMANDS].play, has_command_id(request)
    receipt = await play.act(commands, session, fields.action, fields.args, key, repeatable=repeatable)
    return consistency.mark(json_answer(answers.act(receipt)), receipt.player)


async def read_ledger(request: web.Request, session: Session) -> web.StreamResponse:
    fields = query(request, wire.LedgerQuery)
    counting.count_read(request, session, fields.limit)
    page = await play.history(request.app[COMMANDS].play, session, fields.limit, fields.cursor)
    return large_json_response(request, answers.ledger(page))


async def read_items(request: web.Request, session: Session) -> web.StreamResponse:
    counting.count_read(request, session)
    stacks = await play.items(request.app[COMMANDS].play, session)
    return large_json_response(request, answers.items(stacks, request.app[RULES].game))
