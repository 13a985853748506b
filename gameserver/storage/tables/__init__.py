"""Every table, by group, and the history that makes it.

Door: the tables themselves (as `tables.claims`), `METADATA`, `TXID`, `player_of` and `player_with_data_of`;
`migrations` (`OutdatedDatabase`) brings a database to its head.
"""

from gameserver.storage.tables.accounts_group import accounts_marks, accounts_owned_slots, claims
from gameserver.storage.tables.control_group import (
    audit,
    databases,
    game_names,
    members,
    move_slots,
    moves,
    season_standings,
    seasons,
    slots,
)
from gameserver.storage.tables.groups import METADATA, TXID
from gameserver.storage.tables.items_group import item_ledger, items_marks, items_owned_slots, stacks
from gameserver.storage.tables.players_group import (
    PLAYER,
    blocks,
    credentials,
    devices,
    friends,
    inbox,
    ledger,
    ledger_kept,
    letter_counts,
    outbox,
    payment_epochs,
    player_of,
    player_rows,
    player_with_data_of,
    players_marks,
    players_owned_slots,
    scores,
    season_floors,
)

__all__ = [
    "METADATA",
    "PLAYER",
    "TXID",
    "accounts_marks",
    "accounts_owned_slots",
    "audit",
    "blocks",
    "claims",
    "credentials",
    "databases",
    "devices",
    "friends",
    "game_names",
    "inbox",
    "item_ledger",
    "items_marks",
    "items_owned_slots",
    "ledger",
    "ledger_kept",
    "letter_counts",
    "members",
    "move_slots",
    "moves",
    "outbox",
    "payment_epochs",
    "player_of",
    "player_rows",
    "player_with_data_of",
    "players_marks",
    "players_owned_slots",
    "scores",
    "season_floors",
    "season_standings",
    "seasons",
    "slots",
    "stacks",
]
