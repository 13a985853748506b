"""The upgrade to a socket: each wrong header is named, and another version is told the right one."""

from typing import Any

import pytest

from tests.support.client import Api
from tests.transport.doors import assert_problem, fields_of

RIGHT = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec_WebSocket_Version": "13",
    "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ==",
}
WRONG: list[tuple[str, str | None]] = [
    ("Upgrade", "h2c"),
    ("Upgrade", None),
    ("Connection", "keep-alive"),
    ("Sec_WebSocket_Key", None),
    ("Sec_WebSocket_Key", ""),
    ("Sec_WebSocket_Key", "dGhlIHNhbXBsZSBub25jZQ"),
    ("Sec_WebSocket_Key", "dGhlIHNhbXBs!ZSBub25jZQ=="),
    ("Sec_WebSocket_Key", "AAAA"),
    ("Sec_WebSocket_Version", None),
    ("Sec_WebSocket_Version", "12"),
    ("Sec_WebSocket_Version", "8"),
    ("Sec_WebSocket_Version", "13.0"),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
async def test_a_wrong_header_of_the_upgrade_is_named(api: Api, name: str, value: str | None) -> None:
    headers: dict[str, Any] = {key: text for key, text in {**RIGHT, name: value}.items() if text is not None}
    answer = await api.ask("GET", "/v1/socket", **headers)
    is_version = name == "Sec_WebSocket_Version"
    assert_problem(answer, "wrong_socket_version" if is_version else "bad_input")
    assert [field.lower() for field in fields_of(answer.body)] == [name.replace("_", "-").lower()]
    assert answer.headers.get("Sec-WebSocket-Version") == ("13" if is_version else None)
