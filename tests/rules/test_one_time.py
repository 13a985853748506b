"""One-time passwords: the vectors of RFC 6238, and how long a code holds."""

import pytest

from gameserver.rules import one_time

SECRET = one_time.written(b"12345678901234567890")


@pytest.mark.parametrize(
    ("seconds", "code"),
    [(59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (1234567890, "005924"), (2000000000, "279037"),
     (20000000000, "353130")],
)  # fmt: skip
def test_codes_are_those_of_the_rfc(seconds: int, code: str) -> None:
    assert one_time.code_of(SECRET, seconds // one_time.STEP_SECONDS) == code
    assert one_time.step_of(SECRET, code, seconds) == seconds // 30


def test_a_code_holds_half_a_minute_longer_and_earlier_but_no_more() -> None:
    code = one_time.code_of(SECRET, 100)
    held = [seconds for seconds in range(2900, 3200) if one_time.step_of(SECRET, code, seconds) == 100]
    assert held == [*range(2970, 3060)]


@pytest.mark.parametrize("code", ["", "28708", "2870820", "287 082", "\udc80", "２８７０８２"])
def test_what_isnt_a_code_never_holds(code: str) -> None:
    assert one_time.step_of(SECRET, code, 59) is None


def test_the_address_for_apps_takes_any_name() -> None:
    address = one_time.address(SECRET, "ann@example.org")
    assert address == f"otpauth://totp/gameserver:ann%40example.org?secret={SECRET}&issuer=gameserver"
