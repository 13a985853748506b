"""What a player did, what came of it, and what it owns."""

from collections.abc import Sequence
from typing import Any

from typing_extensions import TypedDict

from gameserver.commands.results import HistoryEntry, HistoryPage, PastRow, Receipt, Stack
from gameserver.rules.game import Game
from gameserver.times import rfc3339
from gameserver.transport.answers.players import PlayerAnswer, player

StateAnswer = TypedDict(
    "StateAnswer",
    {"name": str, "class": str, "level": int, "hp": int, "max_hp": int, "exp": int, "version": int},
)
"""The player's state after a past action."""


class ActAnswer(TypedDict):
    player: PlayerAnswer
    events: Sequence[dict[str, Any]]
    command_id: str
    replayed: bool


class EntryAnswer(TypedDict):
    command_id: str
    action: str
    args: dict[str, Any]
    events: list[dict[str, Any]]
    player: StateAnswer
    version: int
    at: str


class LedgerAnswer(TypedDict):
    entries: list[EntryAnswer]
    next_cursor: str | None


class StackAnswer(TypedDict):
    """How many of an item; `lost` were granted when the stack was full, that is at `max_stack`."""

    item: str
    title: str
    count: int
    max_stack: int
    lost: int


class ItemsAnswer(TypedDict):
    items: list[StackAnswer]


def act(receipt: Receipt) -> ActAnswer:
    return {
        "player": player(receipt.player, receipt.max_hp),
        "events": receipt.events,
        "command_id": receipt.command_id,
        "replayed": receipt.replayed,
    }


def ledger(history: HistoryPage) -> LedgerAnswer:
    return {"entries": [_entry(entry) for entry in history.entries], "next_cursor": history.cursor}


def _entry(entry: HistoryEntry) -> EntryAnswer:
    return {
        "command_id": entry.command_id,
        "action": entry.action,
        "args": entry.args,
        "events": entry.outcome["events"],
        "player": recorded_state(entry),
        "version": entry.version,
        "at": rfc3339(entry.at),
    }


def recorded_state(row: PastRow | HistoryEntry) -> StateAnswer:
    """The state after a command, as the ledger has it."""
    outcome = row.outcome
    return {
        "name": outcome["name"],
        "class": outcome["class"],
        "level": outcome["level"],
        "hp": outcome["hp"],
        "max_hp": outcome["max_hp"],
        "exp": outcome["exp"],
        "version": row.version,
    }


def items(stacks: Sequence[Stack], game: Game) -> ItemsAnswer:
    """By name. An item that the game no longer has is titled by its name, and its stack counts as full."""
    return {"items": [_stack(stack, game) for stack in stacks if stack.count or stack.lost]}


def _stack(stack: Stack, game: Game) -> StackAnswer:
    item = game.items.get(stack.item)
    title, max_stack = (stack.item, stack.count) if item is None else (item.title, item.max_stack)
    return {"item": stack.item, "title": title, "count": stack.count, "max_stack": max_stack, "lost": stack.lost}
