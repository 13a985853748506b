"""Who an operator is: the admin key or the console's session that a request under /admin carries, and its role.

Law: a page of another site can't use the session of an operator's browser. Its cookie is SameSite=Strict and no script
can read it; a request that a browser says comes from another origin is refused; and one that changes something must
carry the header X-Console, which a foreign page can't send without a preflight, and the server grants none for it.
A page that says for whom it asks is served in that operator's name or not at all: a browser has one session, and
another tab may have begun one of another operator.
"""

from typing import NamedTuple
from urllib.parse import unquote

from aiohttp import hdrs, web

from gameserver.commands import admins
from gameserver.commands.admins import Admin
from gameserver.rules.errors import Forbidden, NotAuthenticated, OtherOperator, WrongCredentials
from gameserver.rules.roles import Role
from gameserver.transport import answers, wire
from gameserver.transport.callers import addresses, callers
from gameserver.transport.callers.headers import single_header
from gameserver.transport.callers.origins import is_own
from gameserver.transport.http import inputs
from gameserver.transport.http.replies import json_response, no_content
from gameserver.transport.keys import COMMANDS

COOKIE = "gameserver_console"
PATH = "/admin/"
HEADER = "X-Console"
OPERATOR = "X-Console-Operator"
"""The name of the operator for whom a page of the console asks, percent-encoded."""
OPERATOR_OF_LINK = "console_operator"
"""The same in the query of what a page's links download (`wire.DownloadQuery`)."""
SIGN_IN = ("POST", "/admin/v1/session")
READING = ("GET", "HEAD")
OWN_SITES = ("same-origin", "none")
"""Values of Sec-Fetch-Site: the console's own requests, and what its user has typed."""
KEYS_TOO = "An `Authorization: Bearer <admin key>` header, or a session of the console, is needed."


class _Given(NamedTuple):
    """What a request carries: a key, or the secret of a session."""

    key: str | None
    session: str | None


async def admit(request: web.Request, least: Role) -> Admin:
    """The operator that the request comes from. Raises NotAuthenticated, Forbidden, OtherOperator, RateLimited."""
    given = _given(request)
    context = request.app[COMMANDS].admins
    if given.session is not None:
        _require_own_page(request)
        admin = await admins.session(context, given.session)
    else:
        admin = await admins.authenticate(context, given.key or "")
    if admin is None:
        if given.session is not None:  # which nobody guesses: pages ask with one that has ended
            raise NotAuthenticated("The session has ended: sign in again.")
        callers.count_wrong_key(request, "operator")
        raise Forbidden("This isn't an admin key.")
    if given.session is not None:
        _require_same(request, admin)
    if admin.needs_code and (request.method, request.path) != SIGN_IN:
        raise Forbidden("This key opens sessions of the console alone, with a one-time password.")
    if not admin.role.may(least):
        raise Forbidden(f"This needs the role {least}, and the key is that of a {admin.role}.")
    return admin


def _given(request: web.Request) -> _Given:
    """A key goes before a session. Raises NotAuthenticated, BadRequest."""
    if hdrs.AUTHORIZATION not in request.headers and (secret := request.cookies.get(COOKIE)):
        return _Given(None, secret)
    return _Given(inputs.bearer(request), None)


def _require_own_page(request: web.Request) -> None:
    """Raises Forbidden unless a request with a cookie comes from a page of this server."""
    origin, site = request.headers.get(hdrs.ORIGIN), request.headers.get("Sec-Fetch-Site", OWN_SITES[0])
    if site not in OWN_SITES or (origin is not None and not is_own(request, origin)):
        raise Forbidden("A page of another site may not use a session of the console.")
    if request.method not in READING and HEADER not in request.headers:
        raise Forbidden(f"A change with a session of the console needs the header {HEADER}.")


def _require_same(request: web.Request, admin: Admin) -> None:
    """Raises OtherOperator if the page says that it asks for another one than the session is of."""
    named = single_header(request, OPERATOR)
    name = request.query.get(OPERATOR_OF_LINK) if named is None else unquote(named)
    if name not in (None, admin.name):
        raise OtherOperator(
            f"This browser has signed in as {admin.name} meanwhile, and this page was {name}'s: "
            f"nothing was done in {admin.name}'s name."
        )


async def open_console(request: web.Request, _: str) -> web.Response:
    """Opens a session for the key that the request carries; the cookie is all that has its secret.

    A wrong one-time password counts as a wrong key.
    """
    code = (await inputs.body(request, wire.ConsoleSignIn)).code or ""
    try:
        opened = await admins.sign_in(request.app[COMMANDS].admins, inputs.bearer(request), code)
    except WrongCredentials:
        callers.count_wrong_key(request, "operator")
        raise
    if opened is None:  # the key was revoked meanwhile
        raise Forbidden("This isn't an admin key.")
    secret, admin = opened
    response = json_response(answers.admin(admin), status=201)
    response.set_cookie(COOKIE, secret, path=PATH, httponly=True, samesite="Strict", secure=_is_secure(request))
    return response


async def read_console(request: web.Request, _: str) -> web.Response:
    return json_response(answers.admin(await admit(request, Role.VIEWER)))


async def leave_console(request: web.Request, _: str) -> web.Response:
    if (secret := request.cookies.get(COOKIE)) is not None:
        await admins.sign_out(request.app[COMMANDS].admins, secret)
    response = no_content()
    response.del_cookie(COOKIE, path=PATH)
    return response


def _is_secure(request: web.Request) -> bool:
    """Whether the cookie is for TLS alone: always, but for a browser on the server's own machine."""
    address = addresses.parse(request.host)
    return not (request.host.partition(":")[0] == "localhost" or (address is not None and address.is_loopback))
