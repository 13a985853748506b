"""One-time passwords by time, as authenticator apps make them (RFC 6238): six digits for each half minute.

Law: a code holds for its half minute and the ones beside it, since clocks differ; the caller lets each be used once.
"""

import base64
import hashlib
import hmac
from urllib.parse import quote

STEP_SECONDS, DIGITS = 30, 6
SECRET_BYTES = 20
"""What RFC 4226 recommends."""


def written(secret: bytes) -> str:
    """A secret as apps take it, in base 32."""
    return base64.b32encode(secret).decode()


def address(secret: str, name: str) -> str:
    """What a QR code for apps holds; `secret` as `written`."""
    return f"otpauth://totp/gameserver:{quote(name, safe='')}?secret={secret}&issuer=gameserver"


def code_of(secret: str, step: int) -> str:
    """The code of a half minute, counted from 1970."""
    digest = hmac.digest(base64.b32decode(secret), step.to_bytes(8, "big"), hashlib.sha1)
    start = digest[-1] & 15
    number = int.from_bytes(digest[start : start + 4], "big") & 0x7FFFFFFF
    return f"{number % 10**DIGITS:0{DIGITS}}"


def step_of(secret: str, code: str, seconds: float) -> int | None:
    """The half minute whose code this is, near this moment in Unix seconds; None if it is none's."""
    now = int(seconds // STEP_SECONDS)
    given = code.encode(errors="surrogateescape")
    # Compares with every one, so that the time taken says nothing.
    same = [step for step in (now - 1, now, now + 1) if hmac.compare_digest(code_of(secret, step).encode(), given)]
    return same[-1] if same else None
