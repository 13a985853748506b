"""Asks the servers of a run who they are, before anything is done: what is wrong is said in one sentence.

Law: only what can't become right by waiting is refused: nobody listens at the address, another program answers, its
version is one that the bots don't know, the admin key isn't valid there. A game server that is busy, starts or drains
is let pass, since a run retries. Costs two short requests to each address, all at once, within ASK_SECONDS.
"""

import asyncio
import math
from collections.abc import Collection, Mapping, Sequence
from importlib import metadata

from bots.cli.ending import carry_out, give_up
from bots.count import slo
from bots.count.slo import Objective
from bots.play.catalogue import parse_actions
from bots.play.plan import SwarmPlan
from bots.proving import Target
from bots.wire import http, requests
from bots.wire.answers import Answer, AnswerKind, LostError
from bots.wire.connecting import allow_files
from bots.wire.errors import BadAnswerError

ASK_SECONDS = 1.5
AGAIN_SECONDS = 0.3
CONNECT_SHARE = 0.8
"""Of the time for an answer: who can't be connected to isn't there, who is connected and silent is busy."""
NOBODY = ("cannot_connect", "disconnected")
TITLE = "gameserver"
DOCUMENT = "/openapi.json"
WHOSE_KEY = "/admin/v1/session"
ACTIONS = "/v1/actions"
SPARE_FILES = 256
"""What a process has open beside its players' connections."""


def require(target: Target, plan: SwarmPlan) -> str:
    """Return the server's version, "" if it was too busy to tell; ends the command if the run can't begin.

    Each player has an HTTP connection, for the proof at the latest, and some of them a socket.
    """
    recruits = sum(storm.rate * storm.seconds for storm in plan.storms if storm.kind == "sign_up")
    files = plan.players + sum(seat.on_socket for seat in plan.seats()) + 2 * math.ceil(recruits)
    try:
        allow_files(files + SPARE_FILES)
    except OSError as error:
        give_up(f"{error}, or let fewer than {plan.players:,} players play")
    return carry_out(_ask(target.urls, target.admin_urls if target.admin_key else (), target.admin_key or ""))


def require_servers(urls: Sequence[str]) -> None:
    """End the command unless each address is a game server's that the bots know."""
    carry_out(_ask(urls, (), ""))


def require_operations(target: Target, objectives: Sequence[Objective]) -> None:
    """End the command if an objective is of an operation that neither bots nor the server's game have.

    The server is asked only where the bots' own operations don't answer it.
    """
    if slo.unknown(objectives, ()) is None:
        return
    actions = carry_out(_actions(target.urls))
    if actions and (unknown := slo.unknown(objectives, actions)):
        known = ", ".join(sorted({*slo.NOT_ACTIONS, *slo.SUMS, *actions}))
        give_up(f"{unknown.text!r}: there is no operation {unknown.operation!r}, but {known}")


async def _actions(urls: Sequence[str]) -> Collection[str]:
    """Return the names of the game's actions; nothing if every server is too busy to tell."""
    for url in urls:
        answer = await _get(url, ACTIONS, {})
        if answer.ok:
            return parse_actions(answer.body)
    return ()


async def _ask(urls: Sequence[str], admin_urls: Sequence[str], key: str) -> str:
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(_version(url)) for url in urls]
        keys = [group.create_task(_fault_of_key(url, key)) for url in admin_urls]
    found = [task.result() for task in asked]
    for fault in [*(fault for _, fault in found), *(task.result() for task in keys)]:
        if fault:
            raise BadAnswerError(fault)
    return next((version for version, _ in found if version), "")


async def _version(url: str) -> tuple[str, str]:
    """Return the version that a server says it has, and what is wrong with it; "" each if it doesn't say."""
    answer = await _get(url, DOCUMENT, {})
    if answer.code in NOBODY:
        return "", f"no server answers at {url} ({answer.code}); is it up (`make run`), and is --url right?"
    if answer.kind is AnswerKind.RETRY:
        return "", ""
    about = answer.body.get("info")
    if not isinstance(about, dict) or about.get("title") != TITLE:
        return "", f"what answers at {url} isn't a game server: {DOCUMENT} doesn't describe one; is --url right?"
    version, own = str(about.get("version")), _release(metadata.version("heroledger-bots"))
    if _release(version) != own:
        return version, f"the server at {url} has version {version:.40}, and these bots know {own}"
    return version, ""


def _release(version: str) -> str:
    """Return what the wire stays the same within: the first two numbers."""
    return ".".join(version.split(".")[:2])


async def _fault_of_key(url: str, key: str) -> str:
    answer = await _get(url, WHOSE_KEY, {"Authorization": f"Bearer {key}"})
    if answer.code in NOBODY:
        return f"no server answers operators at {url} ({answer.code}); is --admin-url right?"
    if answer.code in ("not_found", "http_404"):
        return f"no operators are served at {url}: give --admin-url"
    if answer.ok or answer.kind is AnswerKind.RETRY:
        return ""
    return f"the admin key isn't valid at {url}: {answer.detail or answer.code}"


async def _get(url: str, path: str, headers: Mapping[str, str]) -> Answer:
    """Return what was answered; what breaks off is asked again, since that is how a proxy sees a node restart."""
    request, now = requests.get("preflight", path), asyncio.get_running_loop().time
    ends = now() + ASK_SECONDS
    async with http.open_session() as session:
        while True:
            left = max(0.1, ends - now())
            try:
                return await http.send(session, url, request, headers, left, CONNECT_SHARE * left)
            except LostError as error:
                if error.answer.code != "disconnected" or now() + AGAIN_SECONDS >= ends:
                    return error.answer
            await asyncio.sleep(AGAIN_SECONDS)
