"""What must hold of names and claims over all databases, whatever was killed or stalled: read from the tables."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import asyncpg
import orjson
from pydantic import SecretStr

from gameserver.app import Core
from gameserver.rules import names
from gameserver.upkeep.loops import sweep
from tests.support.deployment import connected

PLAYERS = """
select id, name, void, deleted from players join players_owned_slots o using (slot) where o.owned
"""
SIGN_UPS = """
select player_id, outcome from ledger join players_owned_slots o using (slot)
where o.owned and action = 'sign_up' and seed >= 0
"""
DEVICES = """
select player_id, key, removed from devices join players_owned_slots o using (slot) where o.owned
"""
CLAIMS = """
select kind, key, player_id, confirmed from claims join accounts_owned_slots o using (slot) where o.owned
"""
SETTLE_SECONDS = 10.0
LET_PASS = "update claims set deadline = now() - interval '1 ms' where not confirmed"


class Held(NamedTuple):
    """A key of a player."""

    key: str
    player_id: int


class Identities(NamedTuple):
    """Players, names and claims over all databases."""

    living: Mapping[int, str]
    """Names by player id."""
    deleted: Mapping[int, str]
    wanted: Sequence[Held]
    """What the living must hold: their present names and the devices of their sign-ups."""
    claims: Sequence[tuple[Held, bool]]
    """What is claimed, and whether it is confirmed."""


async def identities(core: Core) -> Identities:
    players, births, devices, claims = await _everywhere(core, PLAYERS, SIGN_UPS, DEVICES, CLAIMS)
    living = {row["id"]: row["name"] for row in players if not row["void"]}
    deleted = {row["id"]: row["name"] for row in players if row["deleted"]}
    wanted = _held(living)
    for row in births:
        keys = orjson.loads(row["outcome"])["keys"]
        wanted += [Held(key, row["player_id"]) for key in keys
                   if key.startswith("device:") and row["player_id"] in living]  # fmt: skip
    removed = {Held(f"device:{row['key']}", row["player_id"]) for row in devices if row["removed"]}
    added = [Held(f"device:{row['key']}", row["player_id"]) for row in devices if not row["removed"]]
    wanted = [key for key in wanted if key not in removed] + [key for key in added if key.player_id in living]
    held = [(Held(f"{row['kind']}:{row['key']}", row["player_id"]), row["confirmed"]) for row in claims]
    return Identities(living, deleted, wanted, held)


def _held(names_by_id: Mapping[int, str]) -> list[Held]:
    """All keys of these players' names."""
    return [Held(f"name:{key}", player_id) for player_id, name in names_by_id.items() for key in names.keys_of(name)]


async def assert_unique(core: Core, *, open_claims: bool = False, blocked: bool = False) -> Identities:
    """No name has two living players; every living player holds its keys; nothing else is held.

    Open claims are allowed while commands are under way or the sweeper has something left to do; what the living hold
    is held at any time. The names of deleted players are held, too, if they are `blocked`.
    """
    found = await identities(core) if open_claims else await _settled(core)
    twice = [key for key, times in Counter(held.key for held in _held(found.living)).items() if times > 1]
    assert not twice, f"names of two players: {twice}"
    claimed = {held for held, _ in found.claims}
    wanted = {*found.wanted}
    if blocked:
        wanted |= {*_held(found.deleted)}
    assert not wanted - claimed, f"keys of players that are free: {wanted - claimed}"
    unsettled = {held for held, confirmed in found.claims if not confirmed}
    if open_claims:
        assert not claimed - wanted - unsettled, f"confirmed for nobody: {claimed - wanted - unsettled}"
    else:
        assert not unsettled, f"open claims: {unsettled}"
        assert claimed == wanted, f"claims of nobody: {claimed - wanted}"
    return found


async def _settled(core: Core) -> Identities:
    """Once what nodes confirm behind their answers is confirmed; what is open for longer stays so."""
    deadline = asyncio.get_running_loop().time() + SETTLE_SECONDS
    while True:
        found = await identities(core)
        if all(confirmed for _, confirmed in found.claims) or asyncio.get_running_loop().time() > deadline:
            return found
        await asyncio.sleep(0.05)


async def let_pass(core: Core) -> None:
    """The deadlines of all open claims."""
    for url in _urls(core):
        async with connected(url) as connection:
            await connection.execute(LET_PASS)


async def sweep_all(core: Core) -> int:
    """The sweeper at its work until nothing is overdue, after all deadlines; how many claims it settled."""
    await let_pass(core)
    settled = 0
    while done := await sweep(core.commands.accounts):
        settled += done
    return settled


async def _everywhere(core: Core, *asked: str) -> list[list[asyncpg.Record]]:
    """The rows of each question, of all databases."""

    async def ask(url: SecretStr) -> list[list[asyncpg.Record]]:
        async with connected(url) as connection:
            return [list(await connection.fetch(question)) for question in asked]

    answers = await asyncio.gather(*map(ask, _urls(core)))
    return [[row for rows in found for row in rows] for found in zip(*answers, strict=True)]


def _urls(core: Core) -> list[SecretStr]:
    urls = {database.url for group in core.slots.groups() for database in core.slots.members(group)}
    return sorted(urls, key=SecretStr.get_secret_value)
