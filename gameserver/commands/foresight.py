"""What changes of a player by operators would do, ranks included: previews of all that isn't a correction.

Law: looking changes nothing, and refuses what the change itself would refuse, as far as that can be known before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from gameserver.commands import devices, erasure, player_page, rank_changes
from gameserver.commands.accounts import Accounts
from gameserver.commands.correction_items import HeldItems, beyond
from gameserver.commands.erasure import Erasures
from gameserver.commands.keys import name_keys, taken
from gameserver.commands.player_page import PlayerPage, PlayerPages
from gameserver.commands.rank_changes import RankChange
from gameserver.rules import names
from gameserver.rules.errors import DeviceNotFound, PlayerNotFound, SessionNotFound
from gameserver.rules.items import Items
from gameserver.rules.player import Player
from gameserver.storage.accounts.bans import require_ahead
from gameserver.storage.ledger.past import Past, Stored
from gameserver.times import rfc3339

Value = int | str | None
LAST_WAY = "It has no password and no other device: nothing signs the player in any more."


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What a change would do to a player, or has done; values by name, before and after.

    `left` are sentences: what it doesn't do, or can't undo.
    """

    player: Player
    changes: Mapping[str, tuple[Value, Value]] = field(default_factory=dict)
    items: Mapping[str, int] = field(default_factory=dict)
    ranks: Sequence[RankChange] = ()
    left: Sequence[str] = ()
    command_id: str | None = None
    """Of the change that was made; None for a preview."""
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class ErasureForeseen:
    """What an erasure would take; values by name, before and after."""

    changes: Mapping[str, tuple[Value, Value]]
    ranks: Sequence[RankChange] = ()


async def renaming(pages: PlayerPages, accounts: Accounts, player_id: int, text: str) -> Foreseen:
    """Raises PlayerNotFound, BadInput, NameTaken, DatabaseUnavailable."""
    player = await pages.pasts.look(player_id, _player)
    name = names.parse(text, reserved=accounts.policy.reserved)
    await _require_free(accounts, name.shown, player_id)
    left = ["Past standings and letters keep the old name."]
    return Foreseen(player, {"name": (player.name, name.shown)}, left=left)


async def ending_sessions(pages: PlayerPages, player_id: int, listed_id: str | None) -> Foreseen:
    """All sessions, or one. Raises PlayerNotFound, SessionNotFound, DatabaseUnavailable."""
    page = await player_page.page(pages, player_id)
    if listed_id is None:
        return Foreseen(page.player, _sessions(page))
    if page.sessions is not None and listed_id not in [session.id for session in page.sessions]:
        raise SessionNotFound("There is no such session of the player.")
    count = _open_sessions(page)
    return Foreseen(page.player, {"sessions": (count, None if count is None else count - 1)})


async def ending_device(pages: PlayerPages, accounts: Accounts, player_id: int, device_id: str) -> Foreseen:
    """Raises PlayerNotFound, DeviceNotFound, DatabaseUnavailable."""
    page = await player_page.page(pages, player_id)
    listed = await devices.devices(accounts, player_id)
    if device_id not in [device.id for device in listed]:
        raise DeviceNotFound
    password, _ = await accounts.room.credentials.password(player_id)
    left = [] if password or len(listed) > 1 else [LAST_WAY]
    return Foreseen(page.player, {"devices": (len(listed), len(listed) - 1), **_sessions(page)}, left=left)


async def sending(pages: PlayerPages, player_id: int, items: Items) -> Foreseen:
    """A letter with items. Raises PlayerNotFound, DatabaseUnavailable."""
    player = await pages.pasts.look(player_id, _player)
    held = HeldItems.of(await pages.play.players.items(player_id), pages.play.rulebook.game.items)
    fits = {item: min(count, held.room(item)) for item, count in items if count}
    changes = {f"items.{item}": (held.count(item), held.count(item) + count) for item, count in fits.items()}
    left = [beyond(item, count, fits[item]) for item, count in items if count > fits[item]]
    return Foreseen(player, changes, dict(items), left=left)


async def banning(pages: PlayerPages, player_id: int, until: datetime | None) -> Foreseen:
    """Raises BadInput for an end in the past, PlayerNotFound, DatabaseUnavailable."""
    require_ahead(until, pages.leaderboards.now())
    page = await player_page.page(pages, player_id)
    present = next((ban for ban in page.bans if ban.ended_at is None), None)
    before = None if present is None or present.until is None else rfc3339(present.until)
    changes: dict[str, tuple[Value, Value]] = {
        "banned": (_yes_or_no(present is not None), "yes"),
        "until": (before, None if until is None else rfc3339(until)),
        **_sessions(page),
    }
    left = ["The player is hidden on past standings, too, until the ban ends."]
    ranks = await rank_changes.of_leaving(pages.leaderboards, player_id)
    return Foreseen(page.player, changes, ranks=ranks, left=left)


async def lifting(pages: PlayerPages, player_id: int) -> Foreseen:
    """Raises PlayerNotFound, DatabaseUnavailable."""
    page = await player_page.page(pages, player_id)
    if all(ban.ended_at is not None for ban in page.bans):
        return Foreseen(page.player, {"banned": ("no", "no")}, left=["The player isn't banned."])
    scores = await pages.pasts.look(player_id, _scores)
    ranks = await rank_changes.of_returning(pages.leaderboards, page.player, scores)
    return Foreseen(page.player, {"banned": ("yes", "no")}, ranks=ranks)


async def deleting(pages: PlayerPages, player_id: int) -> Foreseen:
    """Raises PlayerNotFound, DatabaseUnavailable."""
    page = await player_page.page(pages, player_id)
    left = [
        "A deletion can't be undone.",
        "Its ledger, letters to others and past standings keep the name: erase it, if they must not.",
    ]
    ranks = await rank_changes.of_leaving(pages.leaderboards, player_id)
    return Foreseen(page.player, _gone(page), ranks=ranks, left=left)


async def erasing(pages: PlayerPages, erasures: Erasures, player_id: int) -> ErasureForeseen:
    """Also of a player that was deleted before: what there still is. Raises PlayerNotFound, DatabaseUnavailable."""
    try:
        page = await player_page.page(pages, player_id)
    except PlayerNotFound:
        remains = await erasure.foresee(erasures, player_id)
        return ErasureForeseen({what: (count, 0) for what, count in remains.items()})
    written = await erasure.written_of(erasures, player_id)
    changes = _gone(page) | {what: (count, 0) for what, count in written.items()}
    return ErasureForeseen(changes, await rank_changes.of_leaving(pages.leaderboards, player_id))


def _gone(page: PlayerPage) -> dict[str, tuple[Value, Value]]:
    return {
        "name": (page.player.name, None),
        **_sessions(page),
        "friends": (len(page.friends), 0),
    }


async def _require_free(accounts: Accounts, name: str, player_id: int) -> None:
    """Raises NameTaken."""
    for key in name_keys(name):
        claim = await accounts.room.claims.find(key)
        if claim is not None and claim.player_id != player_id and not claim.overdue:
            raise taken(key)


def _sessions(page: PlayerPage) -> dict[str, tuple[Value, Value]]:
    """How many sessions end; nothing is said of them while Redis is away."""
    count = _open_sessions(page)
    return {} if count is None else {"sessions": (count, 0)}


def _open_sessions(page: PlayerPage) -> int | None:
    return None if page.sessions is None else len(page.sessions)


def _yes_or_no(truth: object) -> str:
    return "yes" if truth else "no"


async def _player(past: Past) -> Player:
    return past.player


async def _scores(past: Past) -> Stored:
    return await past.scores()
