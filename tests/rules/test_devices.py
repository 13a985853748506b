"""Devices that only their own player can have."""

import base64
import hashlib
import random
import secrets
import uuid

import pytest

from gameserver.rules.devices import require_strong
from gameserver.rules.errors import BadInput

GUESSED = [
    "", "short", "12345678", " " * 8, " " * 64, "0" * 32, "f" * 32, "a" * 256, "ab" * 40, "abc" * 40, "undefined",
    "9774d56d682e549c", "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "{00000000-0000-0000-0000-000000000000}", "device-00000000-0000-0000-0000-000000000000", "n/a", "null",
    "02:00:00:00:00:00", "356938035643809", "0123456789abcdef", "0123456789abcdef0123456789abcdef",
    "fedcba9876543210fedcba9876543210", "abcdefghijklmnopqrstuvwxyz0123456789", "1234567890" * 5,
    "12345678-1234-1234-1234-123456789012", "550E8400-E29B-41D4-A716-446655440000",
    "03000200-0400-0500-0006-000700080009", "Ann's telephone", "device-000001", "undefined" * 10, "\0" * 40,
    "\N{SNOWMAN}" * 40, "123e4567e89b12d3a456426614174000", hashlib.md5(b"").hexdigest(),
    hashlib.sha256(b"undefined").hexdigest(), hashlib.sha1(b"9774d56d682e549c").hexdigest().upper(),
    hashlib.md5(b"02:00:00:00:00:00").hexdigest(), "3fa85f64-5717-4562-b3fc-2c963f66afa6",
    "{F47AC10B-58CC-4372-A567-0E02B2C3D479}", "SystemInfo.unsupportedIdentifier", hashlib.md5(b"password").hexdigest(),
    "00112233445566778899aabbccddeeff", "ffeeddcc-bbaa-9988-7766-554433221100", "a0b1c2d3e4f5061728394a5b6c7d8e9f",
    "Default string Default string 1234", "My telephone, which I bought in Busan in 2024",
    "com.example.game.device.iphone", "SystemInfo.deviceUniqueIdentifier", "qwertyuiopasdfghjklzxcvbnm123456",
    base64.b64encode(b"12345678901234567890").decode(), base64.b64encode(b"undefined" * 4).decode(),
    "System Serial Number\tSystem Serial Number 12",
]  # fmt: skip


@pytest.mark.parametrize("device", GUESSED)
def test_what_others_have_or_guess_is_refused_and_the_field_named(device: str) -> None:
    with pytest.raises(BadInput) as refused:
        require_strong(device, "device")
    assert [problem.field for problem in refused.value.errors] == ["device"]


def test_random_secrets_pass_however_they_are_written() -> None:
    for seed in range(2_000):
        drawn = random.Random(seed).randbytes(16)
        for text in (
            str(uuid.UUID(bytes=drawn, version=4)),
            str(uuid.UUID(bytes=drawn, version=4)).upper(),
            drawn.hex(),
            base64.b64encode(drawn).decode(),
            base64.b32encode(drawn).decode(),
            base64.urlsafe_b64encode(drawn).decode().rstrip("="),
            f"{int.from_bytes(drawn) | 1 << 127:039}",
            hashlib.sha256(drawn).hexdigest(),
        ):
            require_strong(text)
    require_strong(f" {secrets.token_hex(16)}\n")
    require_strong(f"bot-{secrets.token_hex(16)}")
    require_strong(str(uuid.uuid1()))
