"""Operators' keys over HTTP; `name` is the name of the admin key that asks."""

from aiohttp import web

from gameserver.commands import admins
from gameserver.commands.results import AdminKey, NewKey
from gameserver.rules import one_time
from gameserver.rules.roles import Role
from gameserver.transport import answers, wire
from gameserver.transport.http import inputs
from gameserver.transport.http.replies import json_response, large_json_response
from gameserver.transport.keys import COMMANDS


async def list_keys(request: web.Request, _: str) -> web.StreamResponse:
    return large_json_response(request, answers.admin_keys(await admins.listed(request.app[COMMANDS].admins)))


async def create_key(request: web.Request, name: str) -> web.Response:
    fields, context = await inputs.body(request, wire.NewAdminKey), request.app[COMMANDS].admins
    app = admins.new_codes() if fields.one_time_passwords else None
    new = NewKey(fields.name, Role(fields.role), fields.days, app)
    made = await admins.make(context, name, new, fields.reason, inputs.command_id(request))
    return _shown_once(*made, None if app is None else one_time.address(app, new.name))


async def rotate_key(request: web.Request, name: str) -> web.Response:
    fields, context = await inputs.body(request, wire.RotateKey), request.app[COMMANDS].admins
    made = await admins.rotate(
        context, name, _path_name(request), fields.grace, fields.reason, inputs.command_id(request)
    )
    return _shown_once(*made, None)


async def revoke_key(request: web.Request, name: str) -> web.Response:
    fields, context = await inputs.body(request, wire.Because), request.app[COMMANDS].admins
    count = await admins.revoke(context, name, _path_name(request), fields.reason, inputs.command_id(request))
    return json_response({"revoked": count})


def _shown_once(key: AdminKey, secret: str, app: str | None) -> web.Response:
    return json_response(answers.new_admin_key(key, secret, app), status=201)


def _path_name(request: web.Request) -> str:
    """The name in the path. Raises BadInput."""
    return wire.parse(wire.KeyNamePath, {"name": request.match_info["name"]}).name
