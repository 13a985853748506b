"""Everything that crossed between a restored database and the others, group by group."""

from datetime import datetime

from gameserver.storage.accounts.claims import Claims
from gameserver.storage.accounts.identities import Identities
from gameserver.storage.crossings.campaigns import campaigns, held_campaigns, operator_letters
from gameserver.storage.crossings.claims import ClaimCheck
from gameserver.storage.crossings.findings import Findings
from gameserver.storage.crossings.items import items_of_players, players_of_items
from gameserver.storage.crossings.letters import letters
from gameserver.storage.crossings.past import SQL, WentBack, reading
from gameserver.storage.crossings.seasons import seasons
from gameserver.storage.postgres.database import Database
from gameserver.storage.slots.slot_map import Slots


async def put_right(slots: Slots, identities: Identities, control: Database, back: WentBack) -> list[Findings]:
    """Puts right what crossed since a database went back; may be run again.

    Needs every other database. Raises DatabaseUnavailable, Overloaded.
    """
    members = _others(slots, back)
    findings: list[Findings] = await _claims(slots, identities, back)
    if back.players:
        again = await campaigns(control, back)
        findings += again.findings
        findings += await items_of_players(back, members["items"], again.brings)
    if back.items:
        findings += await players_of_items(back, members["players"])
    if back.players or back.database is control:
        findings += await seasons(slots, control, back)
    if back.database is control:
        findings += await held_campaigns(control)
    return findings


async def listed(slots: Slots, control: Database, back: WentBack) -> list[Findings]:
    """What crossed and can't be put right; reads the whole ledger since then. Raises DatabaseUnavailable."""
    if not back.players:
        return []
    return [*await operator_letters(control, back), *await letters(back, _others(slots, back)["players"])]


def _others(slots: Slots, back: WentBack) -> dict[str, list[Database]]:
    """The other databases of each group."""
    return {
        group: [other for other in slots.databases(group) if other is not back.database] for group in slots.groups()
    }


async def _claims(slots: Slots, identities: Identities, back: WentBack) -> list[Findings]:
    claims = Claims(slots)
    check = ClaimCheck.begin(slots, claims, identities)
    accounts = slots.databases("accounts")
    try:
        # What may be wrong first, so that it is in nobody's way then.
        others = [other for other in accounts if other is not back.database]
        for other in others if back.players else ():
            await check.doubt_since(back, other)
        if back.database in accounts:
            await check.doubt_wrong(back.database)
        if back.players:
            await check.retake(back.database, frozenset(other.name for other in others))
        if back.database in accounts:
            for players in slots.databases("players"):
                if players is not back.database:
                    await check.retake(players, frozenset({back.database.name}))
    finally:
        await claims.close()
    return check.findings()


async def went_back(slots: Slots, database: Database, since: datetime) -> WentBack:
    """Of what it believes that it owns, only what the map gives it, too, is played on as it was then."""
    async with reading(database) as connection:
        owned = {}
        for group in ("players", "items"):
            there = await connection.fetchval("select to_regclass($1) is not null", f"public.{group}_owned_slots")
            rows = await connection.fetch(SQL[f"{group}_slots"]) if there else []
            owned[group] = [row["slot"] for row in rows if slots.owner(group, row["slot"]) is database]
    return WentBack(database, since, owned["players"], owned["items"])
