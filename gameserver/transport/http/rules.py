"""The game's rules over time over HTTP; `name` is the name of the admin key."""

import asyncio

from aiohttp import web

from gameserver.commands import fleet, game_texts, rollouts
from gameserver.commands.results import ChangedBy
from gameserver.transport import answers, wire
from gameserver.transport.http import inputs
from gameserver.transport.http.replies import json_response, large_json_response
from gameserver.transport.keys import COMMANDS


async def read_rules(request: web.Request, _: str) -> web.StreamResponse:
    commands = request.app[COMMANDS]
    found, nodes = await rollouts.overview(commands.rollouts), await fleet.nodes_if_told(commands.fleet)
    return large_json_response(request, answers.rules(found, nodes))


async def compare_rules(request: web.Request, _: str) -> web.StreamResponse:
    first, second = (inputs.path_number(request, name, "rulebook", wire.MOST_RULEBOOKS) for name in ("first", "second"))
    found, same_code = await rollouts.compare(request.app[COMMANDS].rollouts, first, second)
    return large_json_response(request, answers.rules_changes(found, same_code=same_code))


async def publish_rules(request: web.Request, name: str) -> web.StreamResponse:
    fields = await inputs.body(request, wire.PublishRules, wire.LARGEST_GAME_BODY)
    context = request.app[COMMANDS].rollouts
    game = await asyncio.to_thread(game_texts.read_game, fields.game)  # a large one takes a tenth of a second
    if _is_preview(request):
        plan = await rollouts.preview(context, game, rollouts.foreseen(fields.at, fields.in_seconds))
        return large_json_response(request, answers.rules_plan(plan))
    by, at = _by(request, name, fields), rollouts.when(fields.at, fields.in_seconds)
    return json_response(answers.rules_ordered(await rollouts.publish(context, game, at, by, fields.expected_edition)))


async def revert_rules(request: web.Request, name: str) -> web.StreamResponse:
    fields, context = await inputs.body(request, wire.SwitchRules), request.app[COMMANDS].rollouts
    if _is_preview(request):
        plan = await rollouts.revert_preview(context, rollouts.foreseen(fields.at, fields.in_seconds))
        return large_json_response(request, answers.rules_plan(plan))
    by, at = _by(request, name, fields), rollouts.when(fields.at, fields.in_seconds)
    return json_response(answers.rules_ordered(await rollouts.revert(context, at, by, fields.expected_edition)))


async def cancel_rules(request: web.Request, name: str) -> web.Response:
    fields, context = await inputs.body(request, wire.OnEdition), request.app[COMMANDS].rollouts
    by = _by(request, name, fields)
    return json_response(answers.rules_ordered(await rollouts.cancel(context, by, fields.expected_edition)))


def _by(request: web.Request, name: str, fields: wire.Because) -> ChangedBy:
    return ChangedBy(name, fields.reason, inputs.command_id(request))


def _is_preview(request: web.Request) -> bool:
    return inputs.query(request, wire.PreviewQuery).preview == "true"
