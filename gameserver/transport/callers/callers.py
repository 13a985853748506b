"""Whose request it is: a back end's, which shows its key and is never limited, or a client's, from an address."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web
from pydantic import SecretStr

from gameserver.commands.pacing import ActionPacing
from gameserver.commands.results import Origin, Session
from gameserver.rules.errors import NotAuthenticated
from gameserver.rules.pacing import Pace
from gameserver.transport.callers import addresses
from gameserver.transport.callers.addresses import Networks

HEADER = "X-Backend-Key"
LONGEST_LABEL = 64


def is_backend(request: web.Request) -> bool:
    """Whether the request carries a back end's key. Raises NotAuthenticated for one that is none."""
    given = request.headers.get(HEADER)
    if given is None:
        return False
    key = given.encode(errors="surrogateescape")
    known = [known.get_secret_value().encode() for known in request.app[CALLERS].keys.values()]
    if not any([hmac.compare_digest(known_key, key) for known_key in known]):  # noqa: C419
        raise NotAuthenticated(f"The {HEADER} isn't one of this server's.")
    return True


def address(request: web.Request) -> str | None:
    """What sign-ups and sign-ins are counted by; None if they aren't for this caller."""
    callers = request.app[CALLERS]
    if is_backend(request):
        return None
    found = addresses.client(request.remote, request.headers.getall("X-Forwarded-For", ()), callers.proxies)
    return None if addresses.within(found, callers.exempt) else addresses.counted(found)


def origin(request: web.Request, label: str | None = None) -> Origin:
    """What the owner of a session that is opened now is shown of where that was."""
    found = addresses.client(
        request.remote, request.headers.getall("X-Forwarded-For", ()), request.app[CALLERS].proxies
    )
    given = request.headers.get("User-Agent", "") if label is None else label
    return Origin("".join(each for each in given if each.isprintable())[:LONGEST_LABEL], str(found))


def action_pacing(request: web.Request) -> ActionPacing | None:
    """What the caller's actions are counted by; None for a back end, whose actions aren't limited."""
    return None if is_backend(request) else request.app[CALLERS].actions


def count_action(request: web.Request, session: Session) -> None:
    """Counts a change that the session's player asks for. Raises RateLimited."""
    pacing = action_pacing(request)
    if pacing is not None:
        pacing.spend(session.player_id)


@dataclass(frozen=True, slots=True)
class Callers:
    """How callers are told apart, and which of them aren't limited."""

    proxies: Networks
    """Whose X-Forwarded-For is believed."""
    exempt: Networks
    """Whose sign-ups and sign-ins aren't limited."""
    keys: Mapping[str, SecretStr]
    """Of back ends, by name."""
    frames: Pace
    """Of each socket."""
    actions: ActionPacing
    """Of each player."""


CALLERS = web.AppKey("callers", Callers)
