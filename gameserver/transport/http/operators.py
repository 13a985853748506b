"""Who an operator is: the admin key that a request under /admin carries, and what its role allows."""

from aiohttp import web

from gameserver.commands import admins
from gameserver.rules.errors import Forbidden
from gameserver.rules.roles import Role
from gameserver.transport.callers import callers
from gameserver.transport.http import inputs
from gameserver.transport.keys import COMMANDS


async def admit(request: web.Request, least: Role) -> str:
    """The name of the admin key that the request carries. Raises NotAuthenticated, Forbidden, RateLimited."""
    admin = await admins.authenticate(request.app[COMMANDS].admins, inputs.bearer(request))
    if admin is None:
        callers.count_wrong_key(request, "operator")
        raise Forbidden("This isn't an admin key.")
    if not admin.role.may(least):
        raise Forbidden(f"This needs the role {least}, and the key is that of a {admin.role}.")
    return admin.name
