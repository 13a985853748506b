"""Player ids and command ids: what their bits say.

A player id has 41 bits of milliseconds since 2025, 12 of the slot and 10 of a sequence.
A command id is a UUIDv7 (RFC 9562), whose first 48 bits are Unix milliseconds. A mail id is a UUIDv8 that begins with
the milliseconds of the command which it comes from, so it sorts among command ids; no client's command can have one.
"""

import hashlib
import re
import secrets
from datetime import UTC, datetime
from uuid import UUID

EPOCH_MS = int(datetime(2025, 1, 1, tzinfo=UTC).timestamp() * 1000)
TIME_BITS, SLOT_BITS, SEQUENCE_BITS = 41, 12, 10
LARGEST_ID = (1 << 63) - 1
_UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_UUID7_OR_8 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[78][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def slot_of(player_id: int) -> int:
    """The slot in which a player lives, for life."""
    return (player_id >> SEQUENCE_BITS) & ((1 << SLOT_BITS) - 1)


def sign_up_ids(player_id: int) -> tuple[str, str]:
    """Between which command ids that of the player's sign-up lies; the second is too high by one."""
    milliseconds = (player_id >> (SLOT_BITS + SEQUENCE_BITS)) + EPOCH_MS
    return first_command_id(milliseconds), first_command_id(milliseconds + 1)


def slot_of_key(kind: str, key: str, slots: int) -> int:
    """The slot of a claim: a hash of its key, so that uniqueness is local to one database."""
    digest = hashlib.blake2b(f"{kind}\0{key}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) % slots


def player_id_of(command_id: str, attempt: int, slots: int) -> int:
    """The id of the player that a sign-up makes: its time, and a slot and sequence that are hashes of it.

    So a retry finds the player without any directory. Two sign-ups may draw the same id: who conflicts with another
    one's player goes on with the next attempt.
    """
    digest = hashlib.blake2b(f"{command_id}\0{attempt}".encode(), digest_size=16).digest()
    slot = int.from_bytes(digest[:8]) % slots
    sequence = int.from_bytes(digest[8:]) % (1 << SEQUENCE_BITS)
    milliseconds = max(command_milliseconds(command_id) - EPOCH_MS, 0) % (1 << TIME_BITS)
    return milliseconds << (SLOT_BITS + SEQUENCE_BITS) | slot << SEQUENCE_BITS | sequence


def is_command_id(text: str) -> bool:
    """Whether it is a UUIDv7 in its canonical form, in lower case."""
    return _UUID7.fullmatch(text) is not None


def is_ledger_id(text: str) -> bool:
    """Whether the ledger may have rows under it: a command id, or a mail id, in lower case."""
    return _UUID7_OR_8.fullmatch(text) is not None


def mail_id(player_id: int, command_id: str, number: int) -> str:
    """The id of a command's letter of this number (from 0), and of the command that delivers it.

    Its first 48 bits are the command's time, the 4 after the version say through how many hands the letter has gone,
    the rest is a hash of all three arguments.
    """
    digest = hashlib.blake2b(f"{player_id}\0{command_id}\0{number}".encode(), digest_size=16).digest()
    high, low = int.from_bytes(digest[:8]) & 0xFF, int.from_bytes(digest[8:]) >> 2
    hand = hops(command_id) + 1 & 0xF
    return str(UUID(int=command_milliseconds(command_id) << 80 | 8 << 76 | hand << 72 | high << 64 | 2 << 62 | low))


def reward_id(board: str, season: int, player_id: int, milliseconds: int) -> str:
    """What a player's reward for a season is sent under: made of the season's end, in Unix milliseconds, and of whose
    it is, so that sending it again is the same command.
    """
    digest = hashlib.blake2b(f"{board}\0{season}\0{player_id}".encode(), digest_size=16).digest()
    high, low = int.from_bytes(digest[:8]) & 0xFFF, int.from_bytes(digest[8:]) >> 2
    return str(UUID(int=milliseconds << 80 | 7 << 76 | high << 64 | 2 << 62 | low))


def hops(command_id: str) -> int:
    """How many letters lie between a client and this command: 0 for his own, 1 for one that delivers his letter."""
    return int(command_id[15], 16) if command_id[14] == "8" else 0


def command_milliseconds(command_id: str) -> int:
    """The Unix milliseconds that a command id was made at, by its maker's clock."""
    return int(command_id[:8] + command_id[9:13], 16)


def first_command_id(milliseconds: int) -> str:
    """The lowest 128-bit value with these Unix milliseconds: a partition's bound."""
    return str(UUID(int=milliseconds << 80))


def new_command_id(milliseconds: int) -> str:
    """A command id for a client that doesn't care about its own."""
    bits = milliseconds << 80 | 7 << 76 | secrets.randbits(12) << 64 | 0b10 << 62 | secrets.randbits(62)
    return str(UUID(int=bits))
