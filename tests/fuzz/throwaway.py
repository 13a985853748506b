"""A player of its own for each request that ends sessions or the player; schemathesis loads this (test_openapi.py)."""

import json
import os
from typing import Any
from urllib.request import Request, urlopen
from uuid import uuid4

import schemathesis

ADDRESS = "FUZZED_ADDRESS"
"""The environment's variable that says where players sign up."""


@schemathesis.auth(refresh_interval=None)
class ThrowAwayPlayer:
    """Signs a new player up for each request."""

    def get(self, _: schemathesis.Case[Any], __: schemathesis.AuthContext) -> str:
        device = str(uuid4())
        body = json.dumps({"name": f"Gone {device[:8]}", "class": "mage", "device": device}).encode()
        asked = Request(f"{os.environ[ADDRESS]}/v1/players", body, {"Content-Type": "application/json"})
        with urlopen(asked, timeout=10) as answer:
            return str(json.load(answer)["session"]["token"])

    def set(self, case: schemathesis.Case[Any], data: str, _: schemathesis.AuthContext) -> None:
        case.headers["Authorization"] = f"Bearer {data}"
