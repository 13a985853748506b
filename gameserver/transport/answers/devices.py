"""Devices, as their own player and operators see them."""

from collections.abc import Sequence

from typing_extensions import TypedDict

from gameserver.commands.results import Device
from gameserver.times import rfc3339


class DeviceAnswer(TypedDict):
    """A device by which the player signs in; `id` is not the device itself, which only its client knows."""

    id: str
    label: str
    added_at: str


class DevicesAnswer(TypedDict):
    devices: list[DeviceAnswer]


def device(entry: Device) -> DeviceAnswer:
    return {"id": entry.id, "label": entry.label, "added_at": rfc3339(entry.added_at)}


def device_list(entries: Sequence[Device]) -> DevicesAnswer:
    return {"devices": [device(entry) for entry in entries]}
