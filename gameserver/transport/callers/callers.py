"""Whether a request comes from a back end, which shows its key and is never limited, or from a client at an address."""

import asyncio
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import structlog
from aiohttp import hdrs, web
from multidict import istr
from pydantic import SecretStr

from gameserver.commands import sessions
from gameserver.commands.pacing import ActionPacing
from gameserver.commands.results import Origin
from gameserver.rules.errors import NotAuthenticated
from gameserver.rules.pacing import Pace
from gameserver.telemetry import WRONG_KEYS
from gameserver.transport.callers import addresses
from gameserver.transport.callers.addresses import Address, Networks
from gameserver.transport.callers.denials import DenialWatch
from gameserver.transport.callers.headers import single_header
from gameserver.transport.callers.sources import Sources
from gameserver.transport.callers.turns import FREE_BYTES
from gameserver.transport.keys import COMMANDS

HEADER = istr("X-Backend-Key")
LONGEST_LABEL = 64
MOST_PROXIES = 100
OPERATORS_PATHS = ("/admin", "/console", "/metrics")
"""Beginnings of the paths that only the operators' listener of a node answers."""
A_READ = 50
"""Rows of a page that count as one read."""
log = structlog.get_logger()


def is_backend(request: web.Request) -> bool:
    """Whether the request carries a back end's key. Raises NotAuthenticated for an unknown key, BadRequest for two."""
    given = single_header(request, HEADER)
    if given is None:
        return False
    key = given.encode(errors="surrogateescape")
    # Compares with every key, so that the time taken doesn't tell which one is nearly right.
    known_keys = [known.get_secret_value().encode() for known in request.app[CALLERS].keys.values()]
    if not any([hmac.compare_digest(known, key) for known in known_keys]):  # noqa: C419
        count_wrong_key(request, "back end")
        raise NotAuthenticated(f"The {HEADER} isn't one of this server's.")
    return True


def count_wrong_key(request: web.Request, door: str) -> None:
    """Logs and counts a wrong key of an operator or a back end. Raises RateLimited for too many of an address.

    A right key is never refused for the wrong ones of others at its address: it has at least 32 characters.
    """
    callers, client = request.app[CALLERS], _client(request)
    who = addresses.counted(client)
    WRONG_KEYS.labels(door).inc()
    log.warning("a wrong key", kind=door, address=who, path=request.path)
    if not addresses.within(client, callers.exempt):
        callers.wrong_keys.spend(who)


class CountedClient(NamedTuple):
    """What a client is counted by, None if it is exempt, and whether it is a trusted proxy itself."""

    address: str | None
    is_proxy: bool


def admit(request: web.Request) -> asyncio.Future[None] | None:
    """Counts a request by its connection's address, or by its client's if a trusted proxy names it. Raises RateLimited.

    A back end's isn't counted, and behind a proxy no operator's.

    Returns what to wait for if its address has had its turns. Raises NotAuthenticated for an unknown key of a back end,
    everywhere, also where nothing is limited.
    """
    if is_backend(request):
        return None
    callers = request.app[CALLERS]
    source: str | None = getattr(request.protocol, "source", None)
    client, is_proxy = _counted(request)
    if source is not None:
        return callers.sources.admit(source, partial(_known_player, request))
    if client is None or is_proxy or _is_for_operators(request):
        return None
    return callers.sources.admit_forwarded(client, partial(_known_player, request))


def charged_client(request: web.Request) -> str | None:
    """Who is charged for what costs more, unless it is a back end's: whose requests `admit` counts."""
    client, is_proxy = _counted(request)
    return None if is_proxy or _is_for_operators(request) else client


def _known_player(request: web.Request) -> int | None:
    """The player of the request's session, if this node may trust it without asking anybody."""
    token = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")[2]
    session = sessions.known(request.app[COMMANDS].accounts, token) if token else None
    return None if session is None else session.player_id


def charge_body(request: web.Request, size: int) -> None:
    """Charges the client's address for a body of so many bytes."""
    if size > FREE_BYTES and not is_backend(request) and (who := charged_client(request)) is not None:
        request.app[CALLERS].sources.turns.charge_bytes(who, size)


def _is_for_operators(request: web.Request) -> bool:
    """Whether it comes over a listener of operators alone, or asks for what only operators have."""
    return not getattr(request.protocol, "counts_addresses", False) or (
        getattr(request.protocol, "for_operators", False) and request.path.startswith(OPERATORS_PATHS)
    )


def note_denial(request: web.Request) -> None:
    """Counts a request that a limit has denied by its client's address, and charges it."""
    callers = request.app[CALLERS]
    callers.denials.note(addresses.counted(_client(request)))
    if (who := charged_client(request)) is not None:  # it may have been denied for a back end's wrong key
        callers.sources.turns.charge_denial(who)


def address(request: web.Request) -> str | None:
    """What the caller's sign-ups and sign-ins are counted by; None if they aren't limited."""
    return None if is_backend(request) else _counted(request).address


def origin(request: web.Request, label: str | None = None) -> Origin:
    """Where a session is opened from, as the list of sessions shows it; the label is the User-Agent's unless given."""
    text = request.headers.get("User-Agent", "") if label is None else label
    return Origin("".join(filter(str.isprintable, text))[:LONGEST_LABEL], str(_client(request)))


def _counted(request: web.Request) -> CountedClient:
    """What the client is counted by; remembered, since every request asks."""
    callers = request.app[CALLERS]
    written = request.headers.getall(hdrs.X_FORWARDED_FOR, ())
    key = (request.remote, *written)
    if key in callers.counted:
        return callers.counted[key]
    client = _client(request)
    address = None if addresses.within(client, callers.exempt) else addresses.counted(client)
    counted = CountedClient(address, addresses.within(client, callers.proxies))
    if sum(map(len, written)) <= addresses.LONGEST:
        if len(callers.counted) >= addresses.REMEMBERED:
            callers.counted.clear()
        callers.counted[key] = counted
    return counted


def _client(request: web.Request) -> Address:
    forwarded = request.headers.getall("X-Forwarded-For", ())
    callers = request.app[CALLERS]
    reading = addresses.read(request.remote, forwarded, callers.proxies)
    if reading.unreadable is not None:
        callers.note_unreadable(str(reading.address), reading.unreadable)
    return reading.address


@dataclass(frozen=True, slots=True)
class Callers:
    """How callers are told apart, and which of them aren't limited."""

    proxies: Networks
    """Networks whose X-Forwarded-For is believed."""
    exempt: Networks
    """Networks whose sign-ups and sign-ins aren't limited."""
    keys: Mapping[str, SecretStr]
    """The keys of back ends, by name."""
    frames: Pace
    """The pace of each socket's frames."""
    address_frames: ActionPacing
    """The pacing of the frames of all sockets of an address."""
    actions: ActionPacing
    """The pacing of each player's actions."""
    reads: ActionPacing
    """The pacing of each player's reads of what is its own."""
    exports: ActionPacing
    """The pacing of each player's exports, as they are begun."""
    entries: ActionPacing
    """The pacing of places and players that are looked up for each address."""
    key_changes: ActionPacing
    """The pacing of each player's changes of its name and devices; each counts as an action, too."""
    list_changes: ActionPacing
    """The pacing of each player's changes of friends, blocks and inbox; each counts as an action, too."""
    hellos: ActionPacing
    """The pacing of each player's sockets, as they are opened."""
    wrong_keys: ActionPacing
    """The pacing of wrong keys by address."""
    sources: Sources
    """What each address has of the node's own port."""
    denials: DenialWatch
    """Who makes most of them."""
    counted: dict[tuple[str | None, ...], CountedClient] = field(default_factory=dict)
    """What clients are counted by, by their connection's address and what proxies have written."""
    unreadable: set[str] = field(default_factory=set)
    """Trusted proxies whose header couldn't be read, as far as the log names them."""

    def count_entries(self, who: str, charged: str | None, count: int) -> None:
        """Raises RateLimited."""
        self.entries.spend(who, count)
        if charged is not None:
            self.sources.turns.charge_entries(charged, count)

    def count_reads(self, charged: str | None, allowance: int, count: int) -> None:
        """Raises RateLimited."""
        self.reads.spend(allowance, count)
        if charged is not None:
            self.sources.turns.charge_entries(charged, count * A_READ)

    def note_unreadable(self, proxy: str, element: str) -> None:
        """Says once of each proxy, for MOST_PROXIES at the most, that all its clients count as one."""
        if proxy in self.unreadable or len(self.unreadable) >= MOST_PROXIES:
            return
        self.unreadable.add(proxy)
        log.warning(
            "a trusted proxy's X-Forwarded-For can't be read: its clients count as one for the limits",
            address=proxy,
            element="".join(filter(str.isprintable, element))[: addresses.LONGEST],
        )


CALLERS = web.AppKey("callers", Callers)
