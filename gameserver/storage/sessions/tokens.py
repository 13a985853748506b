"""Session tokens: `player_id.secret`, with 256 random bits.

Law: a session is named by the SHA-256 of its token, which alone is stored and looked up, so neither Redis nor the time
that a look-up takes says anything about the token.
"""

import hashlib
import secrets

from gameserver.rules.errors import NotAuthenticated
from gameserver.storage.ids import LARGEST_ID

SECRET_BYTES = 32


def new_token(player_id: int) -> str:
    return f"{player_id}.{secrets.token_urlsafe(SECRET_BYTES)}"


def identify(token: str) -> tuple[int, str]:
    """The player and the session that a token names, whether they exist or not. Raises NotAuthenticated."""
    return owner_of(token), name_of(token)


def owner_of(token: str) -> int:
    """The player's id. Raises NotAuthenticated."""
    digits, _, secret = token.partition(".")
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= 19 and secret) or int(digits) > LARGEST_ID:
        raise NotAuthenticated("The session token isn't valid.")
    return int(digits)


def name_of(token: str) -> str:
    """The session's name, in hexadecimal."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()
