"""Claims and players on different databases, one of which went back.

Law: a claim that its player may not have is doubted, and the sweeper asks the player and confirms or frees it, as after
any crash (accounts/claims.py). A key that a player has and nobody claims is claimed again. A key that another player
has claimed meanwhile stays with that one, and is listed. Each key is looked at once more when it is claimed again, and
a doubted claim is asked about by the sweeper, so what changes while this reads is judged as it is then.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from gameserver.storage.accounts.claims import Claim, Claims, Key, KeyKind
from gameserver.storage.accounts.identities import Fate, Identities
from gameserver.storage.accounts.player_keys import KeyHolder, look, sought
from gameserver.storage.crossings.findings import Findings
from gameserver.storage.crossings.past import WentBack, by_keys, reading
from gameserver.storage.ids import new_command_id, slot_of
from gameserver.storage.postgres.database import Database
from gameserver.storage.slots.slot_map import Slots

AT_ONCE = 64
FIRST_CLAIM, FIRST_PLAYER = (-1, "", ""), (-1, 0)


@dataclass(slots=True)
class ClaimCheck:
    """What was found of claims."""

    slots: Slots
    claims: Claims
    identities: Identities
    doubted: Findings
    retaken: Findings
    taken: Findings

    @classmethod
    def begin(cls, slots: Slots, claims: Claims, identities: Identities) -> "ClaimCheck":
        return cls(
            slots,
            claims,
            identities,
            Findings(
                "claims_doubted", "claims that their players may not have any more", "doubted: freed or confirmed"
            ),
            Findings("claims_retaken", "names and devices of players that nobody claimed", "claimed again"),
            Findings(
                "claims_taken",
                "names and devices of players that others have by now",
                "listed: rename one of the two players, or remove the device",
            ),
        )

    def findings(self) -> list[Findings]:
        return [self.doubted, self.retaken, self.taken]

    async def doubt_since(self, back: WentBack, accounts: Database) -> None:
        """Doubts what was claimed since the players went back."""
        async with reading(accounts) as connection:
            async for rows in by_keys(connection, "claims", FIRST_CLAIM, back.since, back.players):
                await self._doubt([(row["player_id"], Key(KeyKind(row["kind"]), row["key"])) for row in rows])

    async def doubt_wrong(self, accounts: Database) -> None:
        """Doubts the claims of a database that went back whose players have other keys."""
        async with reading(accounts) as connection:
            async for rows in by_keys(connection, "claims", FIRST_CLAIM, None, None):
                keys = await self._keys_of({row["player_id"] for row in rows})
                pairs = [(row["player_id"], Key(KeyKind(row["kind"]), row["key"])) for row in rows]
                await self._doubt([(player, key) for player, key in pairs if key not in keys.get(player, ())])

    async def retake(self, players: Database, accounts: frozenset[str]) -> None:
        """Claims for the players of a database what nobody claims, on the databases of these names."""
        async for holders in _holders(players):
            wanted = [
                (holder.row.id, key)
                for holder in holders
                for key in holder.keys
                if self.claims.database_of(key) in accounts
            ]
            for begin in range(0, len(wanted), AT_ONCE):
                await self._retake_missing(wanted[begin : begin + AT_ONCE])

    async def _retake_missing(self, wanted: Sequence[tuple[int, Key]]) -> None:
        found = await asyncio.gather(*(self.claims.find(key) for _, key in wanted))
        for (player, key), claim in zip(wanted, found, strict=True):
            if claim is None or (claim.player_id != player and await self._is_freed(claim)):
                await self._retake(player, key)
            elif claim.player_id != player:
                self.taken.add(player=str(player), key=str(key), holder=str(claim.player_id))

    async def _is_freed(self, claim: Claim) -> bool:
        """Frees an open claim if its player doesn't have the key, as the sweeper would later."""
        if claim.confirmed or await self.identities.resolve(claim) is not Fate.NOT_HELD:
            return False
        await self.claims.release(claim)
        return True

    async def _retake(self, player: int, key: Key) -> None:
        claim = await self.claims.retake(key, player, new_command_id(int(time.time() * 1000)))
        if claim.player_id == player:
            self.retaken.add(player=str(player), key=str(key))
        else:
            self.taken.add(player=str(player), key=str(key), holder=str(claim.player_id))

    async def _doubt(self, pairs: Sequence[tuple[int, Key]]) -> None:
        for begin in range(0, len(pairs), AT_ONCE):
            part = pairs[begin : begin + AT_ONCE]
            await asyncio.gather(*(self.claims.doubt(key, player) for player, key in part))
            for player, key in part:
                self.doubted.add(player=str(player), key=str(key))

    async def _keys_of(self, players: set[int]) -> dict[int, Sequence[Key]]:
        by_database: dict[str, list[int]] = {}
        owners = {player: self.slots.owner("players", slot_of(player)) for player in players}
        for player, owner in owners.items():
            by_database.setdefault(owner.name, []).append(player)
        keys: dict[int, Sequence[Key]] = {}
        for owner in {owner.name: owner for owner in owners.values()}.values():
            async with reading(owner) as connection:
                for holder in await look(connection, [sought(player, None) for player in by_database[owner.name]]):
                    if isinstance(holder, KeyHolder):
                        keys[holder.row.id] = holder.keys
        return keys


async def _holders(players: Database) -> AsyncIterator[list[KeyHolder]]:
    async with reading(players) as connection:
        async for rows in by_keys(connection, "players", FIRST_PLAYER):
            found = await look(connection, [sought(row["id"], None) for row in rows])
            yield [holder for holder in found if isinstance(holder, KeyHolder) and not holder.void]
