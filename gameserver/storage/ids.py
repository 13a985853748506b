"""Player ids, command ids and mail ids: what their bits say.

A player id has 41 bits of milliseconds since 2025, 12 of the slot and 10 of a sequence.
A command id is a UUIDv7 (RFC 9562), whose first 48 bits are Unix milliseconds. A mail id is a UUIDv8 that begins with
the milliseconds of the command that sent it, so it sorts among command ids; a client's command can't have one.
"""

import hashlib
import re
import secrets
from datetime import UTC, datetime

EPOCH_MS = int(datetime(2025, 1, 1, tzinfo=UTC).timestamp() * 1000)
LATEST_MS = (1 << 48) - 1
"""Unix milliseconds, of a command id."""
TIME_BITS, SLOT_BITS, SEQUENCE_BITS = 41, 12, 10
LARGEST_ID = (1 << 63) - 1
_UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_UUID7_OR_8 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[78][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def slot_of(player_id: int) -> int:
    """The slot of a player; it never changes."""
    return (player_id >> SEQUENCE_BITS) & ((1 << SLOT_BITS) - 1)


def sign_up_ids(player_id: int) -> tuple[str, str]:
    """The range of command ids that holds the player's sign-up: from the first up to, without, the second."""
    milliseconds = (player_id >> (SLOT_BITS + SEQUENCE_BITS)) + EPOCH_MS
    return first_command_id(milliseconds), first_command_id(milliseconds + 1)


def first_player_id(milliseconds: int) -> int:
    """The lowest id of players whose sign-ups were made at these Unix milliseconds."""
    return min(max(milliseconds - EPOCH_MS, 0), (1 << TIME_BITS) - 1) << (SLOT_BITS + SEQUENCE_BITS)


def slot_of_key(kind: str, key: str, slots: int) -> int:
    """The slot of a claim: a hash of its key, so that uniqueness is local to one database."""
    digest = hashlib.blake2b(f"{kind}\0{key}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) % slots


def player_id_of(command_id: str, attempt: int, slots: int) -> int:
    """The id of the player that a sign-up makes: its time, and a slot and sequence that are hashes of it.

    So a retry finds the player without any directory. Two sign-ups may get the same id: the one that finds another
    player there goes on with its next attempt.
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


THE_SERVER = 0
"""The player id under which the server sends: rewards, and operators' letters."""


def mail_id(player_id: int, command_id: str, number: int) -> str:
    """The id of a command's letter of this number (from 0), and of the command that delivers it.

    Its first 48 bits are the command's time, the 4 after the version count the letters that led to it (`hops`), the
    rest is a hash of all three arguments.
    """
    digest = hashlib.blake2b(f"{player_id}\0{command_id}\0{number}".encode(), digest_size=16).digest()
    high, low = int.from_bytes(digest[:8]) & 0xFF, int.from_bytes(digest[8:]) >> 2
    hop = hops(command_id) + 1 & 0xF
    return _text(command_milliseconds(command_id) << 80 | 8 << 76 | hop << 72 | high << 64 | 2 << 62 | low)


def reward_id(board: str, season: int, player_id: int, milliseconds: int) -> str:
    """The command id of a player's reward for a season, which ended at these Unix milliseconds.

    It is derived from board, season and player, so a reward that is sent again is deduplicated.
    """
    digest = hashlib.blake2b(f"{board}\0{season}\0{player_id}".encode(), digest_size=16).digest()
    high, low = int.from_bytes(digest[:8]) & 0xFFF, int.from_bytes(digest[8:]) >> 2
    return _text(milliseconds << 80 | 7 << 76 | high << 64 | 2 << 62 | low)


def campaign_letter_id(campaign: str, player_id: int) -> str:
    """The command id of a campaign's letter to a player, derived from both: sent again, it is deduplicated."""
    digest = hashlib.blake2b(f"campaign\0{campaign}\0{player_id}".encode(), digest_size=16).digest()
    high, low = int.from_bytes(digest[:8]) & 0xFFF, int.from_bytes(digest[8:]) >> 2
    return _text(command_milliseconds(campaign) << 80 | 7 << 76 | high << 64 | 2 << 62 | low)


def hops(command_id: str) -> int:
    """How many letters lie between a client and this command: 0 for its own, 1 for one that delivers its letter."""
    return int(command_id[15], 16) if command_id[14] == "8" else 0


def command_milliseconds(command_id: str) -> int:
    """The Unix milliseconds at which a command id was made, by its maker's clock."""
    return int(command_id[:8] + command_id[9:13], 16)


def first_command_id(milliseconds: int) -> str:
    """The lowest 128-bit value with these Unix milliseconds: a partition's bound.

    Of a moment that no id can have, before 1970 for instance, it is the nearest one.
    """
    return _text(min(max(milliseconds, 0), LATEST_MS) << 80)


def new_command_id(milliseconds: int) -> str:
    """A new command id of these Unix milliseconds."""
    return _text(milliseconds << 80 | 7 << 76 | secrets.randbits(12) << 64 | 0b10 << 62 | secrets.randbits(62))


def _text(bits: int) -> str:
    """A UUID as text; the standard library's class takes several times as long to write one."""
    digits = f"{bits:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
