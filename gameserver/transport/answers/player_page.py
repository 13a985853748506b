"""An operator's page of a player, and its ledger as a timeline."""

from typing import Any

from typing_extensions import TypedDict

from gameserver.commands.mail import shown
from gameserver.commands.results import (
    Ban,
    Block,
    ExportPart,
    HistoryEntry,
    Letters,
    Listed,
    Note,
    PastPlace,
    PastPlaces,
    PastRow,
    PlayerPage,
    Timeline,
)
from gameserver.rules.game import Game
from gameserver.times import rfc3339, rfc3339_of_seconds
from gameserver.transport.answers.audit import audit_entry
from gameserver.transport.answers.boards import RankAnswer, rank
from gameserver.transport.answers.devices import device
from gameserver.transport.answers.mail import MailAnswer
from gameserver.transport.answers.play import StackAnswer, StateAnswer, items, recorded_state
from gameserver.transport.answers.players import PlayerAnswer, player_now


class OpenSession(TypedDict):
    """A session as operators see it: `label` is what its client called itself."""

    id: str
    label: str
    address: str
    opened_at: str
    used_at: str
    expires_at: str


class BanEntry(TypedDict):
    """A ban, past or present; `said` is what the player is told."""

    command_id: str
    at: str
    until: str | None
    said: str
    reason: str
    banned_by: str
    ended_at: str | None
    ended_by: str | None


class NoteAnswer(TypedDict):
    id: int
    at: str
    admin: str
    text: str


class BlockedPlayer(TypedDict):
    id: str
    added_at: str


class PlayerPageAnswer(TypedDict):
    """`sessions` and `nodes`, those that it is connected to, are null, and places are left out, while Redis is away.

    `seen_at` is the beginning of the hour in which it was last seen; `mail`, `bans` and `notes` are the newest ones.
    `names` are those of the players that it is friends with or blocks, by their ids, as far as they can be read.
    """

    player: PlayerAnswer
    seen_at: str
    nodes: list[str] | None
    data: dict[str, int | str | bool]
    banned: bool
    sessions: list[OpenSession] | None
    places: list[RankAnswer]
    friends: list[str]
    blocks: list[BlockedPlayer]
    mail: list[MailAnswer]
    items: list[StackAnswer]
    bans: list[BanEntry]
    notes: list[NoteAnswer]
    names: dict[str, str]


class ReceivedLetter(MailAnswer):
    """A letter, and what its sender is called, if that is a player still."""

    sender_name: str | None


class ReceivedLettersAnswer(TypedDict):
    entries: list[ReceivedLetter]
    next_cursor: str | None


class PastPlaceAnswer(TypedDict):
    """A place in a season that is over; `rewarded` says how its reward ended."""

    board: str
    start: str
    rank: int
    score: int
    reward: dict[str, Any] | None
    rewarded: str | None


class PastPlacesAnswer(TypedDict):
    entries: list[PastPlaceAnswer]
    next_cursor: str | None


class TimelineEntry(TypedDict):
    """A command that took effect; `undone` if an operator has undone it, or rolled back what it did."""

    command_id: str
    action: str
    args: dict[str, Any]
    events: list[dict[str, Any]]
    player: StateAnswer
    data: dict[str, int | str | bool] | None
    version: int
    at: str
    undone: bool


class TimelineAnswer(TypedDict):
    entries: list[TimelineEntry]
    next_cursor: str | None


def player_page(page: PlayerPage, game: Game) -> PlayerPageAnswer:
    return {
        "player": player_now(page.player, game),
        "seen_at": rfc3339(page.seen),
        "nodes": None if page.nodes is None else list(page.nodes),
        "data": dict(page.player.data),
        "banned": any(ban.ended_at is None for ban in page.bans),
        "sessions": None if page.sessions is None else [_session(entry) for entry in page.sessions],
        "places": [rank(ranked) for ranked in page.places],
        "friends": [str(friend) for friend in page.friends],
        "blocks": [_block(block) for block in page.blocks],
        "mail": [shown(letter) for letter in page.letters],  # type: ignore[misc]
        "items": items(page.items, game)["items"],
        "bans": [_ban(ban) for ban in page.bans],
        "notes": [note(each) for each in page.notes],
        "names": {str(player_id): name for player_id, name in page.names.items()},
    }


def received_letters(page: Letters) -> ReceivedLettersAnswer:
    entries = [{**shown(letter), "sender_name": page.names.get(letter.sender)} for letter in page.rows]
    return {"entries": entries, "next_cursor": page.cursor}  # type: ignore[typeddict-item]


def past_places(page: PastPlaces) -> PastPlacesAnswer:
    return {"entries": [_past_place(place) for place in page.rows], "next_cursor": page.cursor}


def timeline(found: Timeline) -> TimelineAnswer:
    entries = [_entry(row, undone=row in found.undone) for row in found.rows]
    return {"entries": entries, "next_cursor": found.cursor}


def note(added: Note) -> NoteAnswer:
    return {"id": added.id, "at": rfc3339(added.at), "admin": added.admin, "text": added.text}


def _session(entry: Listed) -> OpenSession:
    return {
        "id": entry.id,
        "label": entry.origin.label,
        "address": entry.origin.address,
        "opened_at": rfc3339(entry.opened_at),
        "used_at": rfc3339(entry.used_at),
        "expires_at": rfc3339(entry.expires_at),
    }


def _block(block: Block) -> BlockedPlayer:
    return {"id": str(block.blocked_id), "added_at": rfc3339(block.added_at)}


def _ban(ban: Ban) -> BanEntry:
    return {
        "command_id": ban.command_id,
        "at": rfc3339(ban.at),
        "until": None if ban.until is None else rfc3339(ban.until),
        "said": ban.said,
        "reason": ban.reason,
        "banned_by": ban.banned_by,
        "ended_at": None if ban.ended_at is None else rfc3339(ban.ended_at),
        "ended_by": ban.ended_by,
    }


def _entry(row: PastRow | HistoryEntry, *, undone: bool) -> TimelineEntry:
    return {
        "command_id": row.command_id,
        "action": row.action,
        "args": row.args,
        "events": row.outcome["events"],
        "player": recorded_state(row),
        "data": row.outcome.get("data"),
        "version": row.version,
        "at": rfc3339(row.at),
        "undone": undone,
    }


def export_part(part: ExportPart, game: Game) -> list[dict[str, Any]]:
    """The lines of a part of an export: each says what it is in `part`."""
    lines: list[dict[str, Any]] = []
    if part.page is not None:
        page: dict[str, Any] = {**player_page(part.page, game)}
        for several in ("mail", "bans", "notes"):  # all of them come in lines of their own
            page.pop(several)
        lines.append({"part": "player", **page})
    lines += [{"part": "device", **device(each)} for each in part.devices]
    lines += [{"part": "ban", **_ban(ban)} for ban in part.bans]
    lines += [{"part": "note", **note(each)} for each in part.notes]
    lines += [{"part": "past_place", **_past_place(place)} for place in part.places]
    lines += [{"part": "letter", **shown(letter)} for letter in part.letters]
    lines += [{"part": "ledger", **_entry(row, undone=row in part.undone)} for row in part.history]
    return lines + [{"part": "audit", **audit_entry(entry)} for entry in part.audit]


def _past_place(place: PastPlace) -> PastPlaceAnswer:
    return {
        "board": place.board,
        "start": rfc3339_of_seconds(place.start),
        "rank": place.rank,
        "score": place.score,
        "reward": place.reward,
        "rewarded": place.rewarded,
    }
