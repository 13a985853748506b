"""The bodies of HTTP requests."""

from typing import Annotated, Any

from pydantic import Field, StringConstraints

from gameserver.transport.wire.fields import JsonModel, PlayerId, Reason, Season, ShortText

Credential = Annotated[str, Field(min_length=8, max_length=256)]
Label = Annotated[str, Field(max_length=64)]
"""What the list of sessions calls this client; the beginning of its User-Agent unless given."""


class SignUp(JsonModel):
    """`name` and `password` are also checked by the game's own rules."""

    name: Annotated[str, Field(max_length=20_000)]
    class_name: Annotated[ShortText, Field(alias="class")]
    device: Credential | None = None
    password: Credential | None = None
    label: Label | None = None


class Rename(JsonModel):
    """`name` is also checked by the game's own rules."""

    name: Annotated[str, Field(max_length=20_000)]


class SignIn(JsonModel):
    """Either `device`, or `name` and `password`."""

    device: Annotated[str, Field(max_length=256)] | None = None
    name: Annotated[str, Field(max_length=1000)] | None = None
    password: Annotated[str, Field(max_length=256)] | None = None
    label: Label | None = None


class NewDevice(JsonModel):
    """`device` is random and secret, and has at least 128 bits; `label` is what the list of devices calls it."""

    device: Credential
    label: Label | None = None


class PasswordChange(JsonModel):
    """`old` is left out by a player without a password."""

    old: Annotated[str, Field(max_length=256)] | None = None
    new: Credential


class Act(JsonModel):
    action: ShortText
    args: dict[str, Any] = Field(default_factory=dict)


class Notice(JsonModel):
    """To all players, or to one; `reason` is for the audit log."""

    player: PlayerId | None = None
    text: Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=r"^[^\x00]*$")]
    reason: Reason


class Because(JsonModel):
    """Why an admin makes this change."""

    reason: Reason


class Rebuild(Because):
    season: Season = "current"
