"""Players by exp, level, hp or age, over all databases: which of them, where one stands, and how they are spread."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace

from gameserver.commands import keys
from gameserver.commands.accounts import Accounts
from gameserver.commands.operations import Operations
from gameserver.exports import Format
from gameserver.rules import names
from gameserver.rules.errors import BadInput, FieldProblem
from gameserver.storage.accounts.claims import Key, KeyKind
from gameserver.storage.operators.questions import Question, Segment
from gameserver.storage.operators.reports import Ranking
from gameserver.storage.operators.spreads import RankedPlace, Spread, SpreadQuestion

MOST_ONLINE = 200_000
"""Connected players up to which it can be asked who of them is, or isn't, connected."""


@dataclass(frozen=True, slots=True)
class PlayerChoice:
    """A segment as operators choose it: what has to be looked up first is not in `segment` yet.

    `name` is the whole name, whatever its case and spacing; `device` what a client sends as its device, or the hash.
    """

    segment: Segment
    online: bool | None = None
    name: str | None = None
    device: str | None = None


async def resolved(operations: Operations, accounts: Accounts, choice: PlayerChoice) -> Segment:
    """The segment. Raises UnknownClass, BadInput, PresenceUnavailable, Overloaded, DatabaseUnavailable."""
    segment = choice.segment
    require_someone(segment)
    if segment.class_name is not None:
        operations.play.rulebook.game.player_class(segment.class_name)
    if choice.online is not None:
        online = await operations.live.room.presence.online(MOST_ONLINE)
        segment = replace(segment, online=online) if choice.online else replace(segment, offline=online)
    for key in _keys(choice):
        segment = _only(segment, await _holder(accounts, key))
    return segment


async def rank(operations: Operations, question: Question) -> Ranking:
    """One page, exact over all databases. Raises DatabaseUnavailable, Overloaded."""
    return await operations.room.reports.rank(question)


async def place(operations: Operations, question: Question, player_id: int) -> RankedPlace:
    """Where a player stands in a ranking. Raises PlayerNotFound, DatabaseUnavailable, Overloaded."""
    return await operations.room.spreads.place(question, player_id)


async def spread(operations: Operations, question: SpreadQuestion) -> Spread:
    """Percentiles and a histogram. Raises DatabaseUnavailable, Overloaded."""
    return await operations.room.spreads.spread(question)


def export(operations: Operations, question: Question, kind: Format) -> AsyncGenerator[Sequence[str], None]:
    """Everyone in a ranking, in its order, a line each; to be closed. Raises DatabaseUnavailable, Overloaded."""
    return operations.room.exports.ranking(question, kind)


async def require_export(operations: Operations) -> None:
    """Raises DatabaseUnavailable, Overloaded where an export couldn't begin now."""
    await operations.room.exports.require_open()


def _keys(choice: PlayerChoice) -> list[Key]:
    """What is looked up among the claims. Raises BadInput."""
    found = []
    if choice.name is not None:
        found.append(Key(KeyKind.NAME, names.read(choice.name).key))
    if choice.device is not None:
        is_hash = len(choice.device) == 64 and set(choice.device) <= set("0123456789abcdef")
        found.append(Key(KeyKind.DEVICE, choice.device) if is_hash else keys.device_key(choice.device))
    return found


async def _holder(accounts: Accounts, key: Key) -> list[int]:
    claim = await accounts.room.claims.find(key)
    return [] if claim is None else [claim.player_id]


def _only(segment: Segment, ids: Sequence[int]) -> Segment:
    """Those of the segment that have one of the ids."""
    among = ids if segment.ids is None else [player_id for player_id in segment.ids if player_id in set(ids)]
    return replace(segment, ids=among)


def require_someone(segment: Segment) -> None:
    """Raises BadInput for levels or moments in the wrong order, which nobody means."""
    for low, high, field in (
        (segment.min_level, segment.max_level, "max_level"),
        (segment.created_since, segment.created_until, "created_until"),
        (segment.seen_since, segment.seen_until, "seen_until"),
    ):
        if low is not None and high is not None and low > high:  # type: ignore[operator]
            problem = FieldProblem(field, "is before the other end")
            raise BadInput("Nobody can fit this.", errors=[problem])
