"""A question over HTTP to a server of ours on this machine, with JSON both ways."""

import asyncio
import base64
import http.client
import json
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

HOST = "127.0.0.1"
_LONGEST_ANSWER = 1 << 20
SECONDS = 3.0
UNANSWERED = (OSError, http.client.HTTPException, ValueError)
"""What `ask` raises when there is no answer, or none in JSON."""


@dataclass(frozen=True)
class LocalAnswer:
    """The status, and the body: what its JSON says, or its text."""

    status: int
    body: Any


@dataclass(frozen=True)
class BasicLogin:
    """For HTTP's basic authentication."""

    username: str
    password: SecretStr

    def header(self) -> str:
        """The value of `Authorization`."""
        pair = f"{self.username}:{self.password.get_secret_value()}"
        return f"Basic {base64.b64encode(pair.encode()).decode()}"


async def ask(
    method: str,
    port: int,
    path: str,
    *,
    content: object = None,
    credentials: BasicLogin | None = None,
    seconds: float = SECONDS,
) -> LocalAnswer:
    """What the server on this port of 127.0.0.1 answers. Raises UNANSWERED."""
    headers = {"Content-Type": "application/json"}
    if credentials is not None:
        headers["Authorization"] = credentials.header()
    body = None if content is None else json.dumps(content)
    return await asyncio.to_thread(_ask, method, port, path, body, headers, seconds)


def _ask(method: str, port: int, path: str, body: str | None, headers: dict[str, str], seconds: float) -> LocalAnswer:
    connection = http.client.HTTPConnection(HOST, port, timeout=seconds)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        content = answer.read(_LONGEST_ANSWER)
    finally:
        connection.close()
    try:
        return LocalAnswer(answer.status, json.loads(content))
    except ValueError:
        return LocalAnswer(answer.status, content.decode("utf-8", "replace"))
