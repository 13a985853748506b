"""The bodies of HTTP requests."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field, StringConstraints

from gameserver.rules.arguments import PlayerId
from gameserver.transport.wire.fields import JsonModel, Reason, Season, ShortText

Credential = Annotated[str, Field(min_length=8, max_length=256)]
Label = Annotated[str, Field(max_length=64)]
"""What the list of sessions calls this client; the beginning of its User-Agent unless given."""


def _example(**fields: Any) -> ConfigDict:
    """What the OpenAPI document shows of a body."""
    return ConfigDict(json_schema_extra={"examples": [fields]})


class SignUp(JsonModel):
    """`name` and `password` are also checked by the game's own rules."""

    model_config = _example(
        **{"name": "Brunhild", "class": "warrior", "device": "5d0c7a9e-4b1f-4c37-9f0a-2e6b8d13c5f4"}
    )

    name: Annotated[str, Field(max_length=20_000)]
    class_name: Annotated[ShortText, Field(alias="class")]
    device: Credential | None = None
    password: Credential | None = None
    label: Label | None = None


class Rename(JsonModel):
    """`name` is also checked by the game's own rules."""

    model_config = _example(name="Brunhild II")

    name: Annotated[str, Field(max_length=20_000)]


class SignIn(JsonModel):
    """Either `device`, or `name` and `password`."""

    model_config = _example(device="5d0c7a9e-4b1f-4c37-9f0a-2e6b8d13c5f4")

    device: Annotated[str, Field(max_length=256)] | None = None
    name: Annotated[str, Field(max_length=1000)] | None = None
    password: Annotated[str, Field(max_length=256)] | None = None
    label: Label | None = None


class NewDevice(JsonModel):
    """`device` is random and secret, and has at least 128 bits; `label` is what the list of devices calls it."""

    model_config = _example(device="c2f0b5d8-91e4-4a6d-8b37-0f5e7d2a9c16", label="tablet")

    device: Credential
    label: Label | None = None


class PasswordChange(JsonModel):
    """`old` is left out by a player without a password."""

    model_config = _example(new="four plain words here")

    old: Annotated[str, Field(max_length=256)] | None = None
    new: Credential


class Act(JsonModel):
    model_config = _example(action="hunt", args={"foe": "slime"})

    action: ShortText
    args: dict[str, Any] = Field(default_factory=dict)


class Notice(JsonModel):
    """To all players, or to one; `reason` is for the audit log."""

    model_config = _example(text="Back in ten minutes.", reason="maintenance")

    player: PlayerId | None = None
    text: Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=r"^[^\x00]*$")]
    reason: Reason


class Because(JsonModel):
    """Why an admin makes this change."""

    model_config = _example(reason="cheating, ticket 4711")

    reason: Reason


class ConsoleSignIn(JsonModel):
    """`code` is the one-time password, for a key that needs one."""

    model_config = _example(code="287082")

    code: Annotated[str, Field(max_length=16)] | None = None


class Rebuild(Because):
    model_config = _example(reason="after a repair", season="current")

    season: Annotated[Season | None, Field(description="The present one unless given")] = None
