"""Who a player is: its name, whether it exists, and which claims are therefore its own.

Law (claims.py has the other half): `claims_epoch` is a version of the player's keys. Whatever changes the keys raises
it under the row's lock, and so does whoever resolves a claim of the player. A rename or deletion reads it before it
touches any claim and commits only if it is unchanged, so one that reserved a key and then stalled can't commit after
its claim was resolved. One that begins later opens its claims again, and an earlier resolution doesn't settle those.
A sign-up has no row whose version could be raised: resolving its claim inserts a void row under the player's id
instead, and the sign-up can't insert its player any more.

What comes at about the same time shares its transactions (key_writes.py), and its questions.

A deleted player stays as a tombstone: void, so that nobody sees it, and `deleted`, with a version of its own, so that
everything derived from it is removed, too.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, cast
from unicodedata import normalize

import orjson

from gameserver.rules.corrections import require_version
from gameserver.rules.editions import RulesInForce
from gameserver.rules.errors import GameError, PlayerNotFound, SessionRevoked
from gameserver.rules.player import Player, renamed, shown_max_hp
from gameserver.storage.accounts.claims import Claim, Key
from gameserver.storage.accounts.key_writes import Decision, KeyWrite, PlayerColumns, write_keys
from gameserver.storage.accounts.player_keys import Device, KeyHolder, Removed, Sought, look, sought
from gameserver.storage.ids import slot_of
from gameserver.storage.ledger.refusals import REFUSED_SEED, raise_refusal, refusal_of
from gameserver.storage.ledger.rows import BatchRow, Recorded, json_of, outcome_of, player_from, require_same
from gameserver.storage.ledger.window import Window
from gameserver.storage.players.command import Receipt
from gameserver.storage.postgres.commit_points import at_commit_point
from gameserver.storage.slots.shared_reads import SharedReads
from gameserver.storage.slots.shared_writes import SharedWrites
from gameserver.storage.slots.slot_map import Slots


class Fate(Enum):
    """What an open claim comes to: its player has the key, or doesn't, or had it when it was deleted."""

    HELD = "held"
    NOT_HELD = "not held"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Change:
    """A rename or a deletion under its command id; `session_epoch` is the epoch the caller's session was opened in."""

    command_id: str
    player_id: int
    action: str
    args: dict[str, Any]
    session_epoch: int
    expected_version: int | None = None
    """Of the player, if the change is for one version alone."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A player before a change: its keys, and the `claims_epoch` at which the change may be committed.

    `earlier` is the first answer of the change, if it took effect before.
    """

    player: Player
    holder: KeyHolder
    claims_epoch: int
    now: datetime
    earlier: Receipt | None = None
    session_epoch: int = 0

    @property
    def keys(self) -> tuple[Key, ...]:
        return self.holder.keys

    @property
    def devices(self) -> Sequence[Device]:
        return self.holder.devices


@dataclass(frozen=True, slots=True)
class Alteration:
    """What a change makes of a player; the devices are those of a Decision."""

    events: list[dict[str, Any]]
    name: str | None = None
    session_epoch: int | None = None
    deleted: bool = False
    extra: Mapping[str, object] = field(default_factory=dict)
    """What the outcome has besides."""
    gone: Sequence[Device] = ()
    added: Sequence[tuple[Device, bool]] = ()


Altered = tuple[Receipt, Identity]
"""What a change led to, and the player as it found it."""


class Identities:
    """Reads and changes identities on the databases that own the players; to be closed."""

    def __init__(self, slots: Slots, window: Window, rules: RulesInForce) -> None:
        self._slots, self._window, self._rules = slots, window, rules
        self._reads: SharedReads[Sought, KeyHolder | None] = SharedReads(slots, "players", look)
        self._writes: SharedWrites[KeyWrite, object] = SharedWrites(slots, "players", write_keys)

    async def find(self, change: Change) -> Identity:
        """The player that a rename or deletion is about to change.

        Raises PlayerNotFound, SessionRevoked, CommandMismatch, CommandExpired, NameTaken if the change was refused
        before, DatabaseUnavailable, Overloaded.
        """
        holder = await self._holder(change.player_id, change.command_id)
        if holder is None or holder.recorded is None:
            return self._identity(change, holder)
        # A first answer is given only once a standby has it, too.
        return cast("Identity", await self._write(change, lambda locked: Decision(self._identity(change, locked))))

    async def rename(self, change: Change, epoch: int) -> Receipt | None:
        """Commits a rename; None if the player's `claims_epoch` isn't `epoch` any more.

        Raises what `find` does, and OutcomeUnknown.
        """

        def write(identity: Identity) -> Alteration:
            return Alteration([{"type": "renamed", "from": identity.player.name}], name=change.args["name"])

        altered = await at_commit_point("the rename took effect", self._alter(change, epoch, write))
        return None if altered is None else altered[0]

    async def alter(self, change: Change, epoch: int, write: Callable[[Identity], Alteration]) -> Altered | None:
        """Commits another change of a player's keys; None if the player's `claims_epoch` isn't `epoch` any more.

        Raises what `find` and `write` do, and OutcomeUnknown.
        """
        return await at_commit_point("the change took effect", self._alter(change, epoch, write))

    async def refuse(self, change: Change, refusal: GameError) -> Receipt | None:
        """Records that a change is refused, unless a copy of it took effect: then its first answer.

        Raises what `find` does, also the error of an earlier refusal, and OutcomeUnknown.
        """

        def decide(holder: KeyHolder | None) -> Decision:
            identity = self._identity(change, holder)
            if identity.earlier is not None:
                return Decision(identity.earlier)
            outcome = refusal_of(refusal)
            return Decision(None, record=_ledger_row(change, identity.player, outcome, REFUSED_SEED))

        return cast("Receipt | None", await at_commit_point("the change was refused", self._write(change, decide)))

    async def remove(self, change: Change, epoch: int) -> bool:
        """Commits a deletion; False if the player's `claims_epoch` isn't `epoch` any more.

        Raises what `find` does, and OutcomeUnknown.
        """

        def write(identity: Identity) -> Alteration:
            keys = [str(key) for key in identity.keys]
            ended = identity.session_epoch + 1
            return Alteration([{"type": "deleted"}], session_epoch=ended, deleted=True, extra={"keys": keys})

        return await at_commit_point("the delete took effect", self._alter(change, epoch, write)) is not None

    async def removed(self, change: Change) -> Removed | None:
        """The player that this very change deleted; None if it hasn't deleted it."""
        if slot_of(change.player_id) >= self._slots.size("players"):
            return None
        removed = await self._write(change, lambda holder: Decision(_removed(change, holder)))
        return cast("Removed | None", removed)

    async def resolve(self, claim: Claim) -> Fate:
        """What an open claim comes to; its sign-up or rename, if it is still under way, can't commit any more."""

        def decide(holder: KeyHolder | None) -> Decision:
            # A sign-up can't insert over a row, and a rename needs an unchanged claims_epoch: nothing that began before
            # can change the answer any more.
            return Decision(_fate(claim.key, holder), None if holder is None else PlayerColumns.of(holder))

        player_id = self._required(claim.player_id)
        write = KeyWrite(slot_of(player_id), player_id, None, decide, voids=True)
        return cast("Fate", await self._writes.write(write))

    async def fate(self, claim: Claim) -> Fate:
        """What an open claim would come to at this moment."""
        return _fate(claim.key, await self._holder(claim.player_id))

    async def exists(self, player_id: int) -> bool:
        """Whether there is such a player, not deleted, on the database that owns its slot."""
        holder = await self._holder(player_id)
        return holder is not None and not holder.void

    async def devices_of(self, player_id: int) -> Sequence[Device]:
        """The devices of a player, oldest first. Raises PlayerNotFound for an id that no player can have."""
        holder = await self._holder(player_id)
        return [] if holder is None else holder.devices

    async def close(self) -> None:
        await self._writes.close()
        await self._reads.close()

    async def _holder(self, player_id: int, command_id: str | None = None) -> KeyHolder | None:
        return await self._reads.ask(sought(self._required(player_id), command_id))

    async def _write(self, change: Change, decide: Callable[[KeyHolder | None], Decision]) -> object:
        player_id = self._required(change.player_id)
        return await self._writes.write(KeyWrite(slot_of(player_id), player_id, change.command_id, decide))

    def _required(self, player_id: int) -> int:
        """Raises PlayerNotFound for an id that no player can have."""
        if slot_of(player_id) >= self._slots.size("players"):
            raise PlayerNotFound("There is no such player.")
        return player_id

    async def _alter(self, change: Change, epoch: int, write: Callable[[Identity], Alteration]) -> Altered | None:
        def decide(holder: KeyHolder | None) -> Decision:
            identity = self._identity(change, holder)
            if identity.earlier is not None:
                return Decision((identity.earlier, identity))
            if identity.claims_epoch != epoch:
                return Decision(None)
            return self._altered(change, identity, write(identity))

        return cast("Altered | None", await self._write(change, decide))

    def _altered(self, change: Change, identity: Identity, alteration: Alteration) -> Decision:
        after = renamed(identity.player, identity.player.name if alteration.name is None else alteration.name)
        max_hp = shown_max_hp(after, self._rules.game)
        epoch = identity.session_epoch if alteration.session_epoch is None else alteration.session_epoch
        receipt = Receipt(change.command_id, after, max_hp, alteration.events, replayed=False)
        return Decision(
            (receipt, identity),
            PlayerColumns(after.name, after.version, epoch, void=alteration.deleted, deleted=alteration.deleted),
            _ledger_row(change, after, outcome_of(after, max_hp, alteration.events, **alteration.extra)),
            alteration.gone,
            alteration.added,
        )

    def _identity(self, change: Change, holder: KeyHolder | None) -> Identity:
        """The player before the change. Raises what `find` does."""
        if holder is None or holder.player is None:
            raise PlayerNotFound("There is no such player.")
        if change.session_epoch < holder.session_epoch:
            raise SessionRevoked("The session has ended.")
        earlier = None
        if holder.recorded is not None:
            earlier = _first_answer(change, holder.recorded, holder.player)
        else:
            self._window.check(change.command_id, holder.now)
            require_version(holder.player, change.expected_version)
        return Identity(holder.player, holder, holder.claims_epoch, holder.now, earlier, holder.session_epoch)


def _removed(change: Change, holder: KeyHolder | None) -> Removed | None:
    recorded = None if holder is None else holder.recorded
    if holder is None or recorded is None:
        return None
    if (recorded.action, orjson.loads(recorded.args)) != (change.action, change.args):
        return None
    keys = tuple(map(Key.parse, orjson.loads(recorded.outcome)["keys"]))
    return Removed(holder.row._replace(version=recorded.version - 1), keys)


def _fate(key: Key, holder: KeyHolder | None) -> Fate:
    if holder is None or (holder.void and not holder.deleted) or key not in holder.keys:
        return Fate.NOT_HELD
    return Fate.DELETED if holder.deleted else Fate.HELD


def _first_answer(change: Change, recorded: Recorded, player: Player) -> Receipt:
    """Of a change that was decided before. Raises CommandMismatch, NameTaken."""
    args, outcome = orjson.loads(recorded.args), orjson.loads(recorded.outcome)
    require_same((recorded.action, args), (change.action, _as_stored(change.args, args)))
    raise_refusal(outcome)
    after = player_from(outcome, player, recorded.version)
    return Receipt(change.command_id, after, outcome["max_hp"], outcome["events"], replayed=True)


def _as_stored(args: dict[str, Any], stored: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a change as the ledger has them: earlier versions stored names in NFKC."""
    name = normalize("NFKC", args.get("name", ""))
    return {**args, "name": name} if name and stored.get("name") == name else args


def _ledger_row(change: Change, after: Player, outcome: Mapping[str, Any], seed: int = 0) -> BatchRow:
    return BatchRow(slot_of(after.id), after.id, change.command_id, change.action, json_of(change.args), seed,
                     json_of(outcome), after.version)  # fmt: skip
