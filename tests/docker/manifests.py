"""The manifests of docker/kubernetes, and what several tests read in them."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from gameserver.config.settings import Settings, load
from tests.docker import files
from tests.support.repository import ROOT

FOLDER = files.FOLDER / "kubernetes"
NODE_SETTINGS = FOLDER / "node.toml"
VALKEY = FOLDER / "valkey.sh"
NODE_RIGHTS = FOLDER / "node.acl"
ADDRESS = "postgresql://gameserver:{}@{}-rw.game:5432/gameserver"
"""What the operator of a database writes into its Secret, under `uri`."""


def documents() -> list[dict[str, Any]]:
    """Every resource of every file that kustomization.yaml lists."""
    return [part for name in kustomization()["resources"] for part in yaml.safe_load_all((FOLDER / name).read_text())]


def kustomization() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((FOLDER / "kustomization.yaml").read_text("utf-8"))
    return found


def one(kind: str, name: str) -> dict[str, Any]:
    """The resource of this kind and name."""
    (found,) = [part for part in documents() if (part["kind"], part["metadata"]["name"]) == (kind, name)]
    return found


def pods() -> dict[str, dict[str, Any]]:
    """The templates of pods, by the name of what makes them."""
    return {part["metadata"]["name"]: part["spec"]["template"] for part in documents() if "template" in part["spec"]}


def containers() -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """The name of each container with its pod, its pod's spec, and itself."""
    for pod, template in pods().items():
        for container in template["spec"]["containers"]:
            yield f"{pod}/{container['name']}", template["spec"], container


def variables(container: dict[str, Any]) -> dict[str, str]:
    """A container's environment as the kubelet resolves it, with SECRET for every secret of ours."""
    resolved: dict[str, str] = {}
    for variable in container["env"]:
        value = variable["value"] if "value" in variable else _given(variable["valueFrom"])
        resolved[variable["name"]] = re.sub(r"\$\((\w+)\)", lambda match: resolved[match[1]], value)
    return resolved


def _given(source: dict[str, Any]) -> str:
    if "fieldRef" in source:
        return "node-7d4f9-abcde"
    secret = source["secretKeyRef"]
    if secret["key"] == "uri":
        return ADDRESS.format(files.SECRET, secret["name"].removesuffix("-app"))
    return files.SECRET


def settings(container: dict[str, Any]) -> Settings:
    """What a container's environment makes of node.toml."""
    with pytest.MonkeyPatch.context() as environment:
        for name, value in variables(container).items():
            environment.setenv(name, value)
        environment.setenv("GAMESERVER_GAME", str(ROOT / "config/game.toml"))
        return load(NODE_SETTINGS)
