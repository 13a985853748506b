"""Where the files of docker/ are, and what several tests read in them."""

import json
import re
from typing import Any

import pytest
import yaml

from gameserver.config.settings import Settings, load
from tests.support.repository import ROOT

FOLDER = ROOT / "docker"
COMPOSE = FOLDER / "compose.yaml"
DOCKERFILE = FOLDER / "Dockerfile"
HAPROXY = FOLDER / "haproxy.cfg"
NODE_SETTINGS = FOLDER / "compose.toml"
SERVER = re.compile(r"^ +server (\S+) (\S+):(\d+)$", re.MULTILINE)
"""A server of haproxy.cfg: its name, host and port."""

SECRET = "a-secret-that-is-long-enough-for-a-key"
VARIABLE = re.compile(r"(?<!\$)\$\{(\w+)([^}]*)\}")


def settings() -> Settings:
    """The settings of a container, with SECRET for every secret, and the game that it mounts unless told otherwise."""
    with pytest.MonkeyPatch.context() as environment:
        for name, value in compose()["services"]["node-1"]["environment"].items():
            environment.setenv(name, VARIABLE.sub(SECRET, value).replace("/srv/game/", f"{ROOT / 'config'}/"))
        return load(NODE_SETTINGS)


def compose() -> dict[str, Any]:
    """The compose file with its anchors resolved, its variables not."""
    found = yaml.safe_load(COMPOSE.read_text("utf-8"))
    assert isinstance(found, dict)
    return found


def seconds(text: str) -> float:
    """A duration as Compose and HAProxy write it: 500ms, 40s, 1m."""
    number, unit = re.fullmatch(r"(\d+)(ms|s|m)", text).groups()  # type: ignore[union-attr]
    return int(number) * {"ms": 0.001, "s": 1, "m": 60}[unit]


def instructions(name: str) -> list[str]:
    """What follows `name` in the Dockerfile, one text for each instruction, its continued lines joined."""
    return _instructions(name, DOCKERFILE.read_text("utf-8"))


def build_instructions(name: str) -> list[str]:
    """The same of the first stage alone, in which the wheel is built."""
    _, first, _ = re.split(r"^FROM ", DOCKERFILE.read_text("utf-8"), flags=re.MULTILINE)
    return _instructions(name, first)


def _instructions(name: str, text: str) -> list[str]:
    joined = re.sub(r"\\\n\s*", "", text)
    return re.findall(rf"^{name} (.*)$", joined, re.MULTILINE)


def exec_form(text: str) -> list[str]:
    """The command of an instruction in exec form. ValueError for a shell's."""
    found = json.loads(text)
    if not isinstance(found, list):
        raise ValueError(text)
    return found
