"""The bodies of HTTP requests."""

from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints

from gameserver.rules.arguments import MAX_INTEGER, PlayerId
from gameserver.rules.corrections import DataName, NewDatum
from gameserver.transport.wire.fields import JsonModel, Reason, Season, ShortText, Written, without_blanks

Credential = Annotated[str, Field(min_length=8, max_length=256)]
TypedPassword = Annotated[str, Field(max_length=4 * 256)]
"""One to compare: some systems send up to four code points for one of those that it was set with."""
Label = Annotated[str, Field(max_length=64)]
"""What the list of sessions calls this client; the beginning of its User-Agent unless given."""
ItemChange = Annotated[int, Field(ge=-MAX_INTEGER, le=MAX_INTEGER)]
LEDGER_ID = r"^[0-9a-f]{8}-[0-9a-f]{4}-[78][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"
"""A command id or a mail id, in lower case."""


def _example(**fields: Any) -> ConfigDict:
    """What the OpenAPI document shows of a body."""
    return ConfigDict(json_schema_extra={"examples": [fields]})


class NoBody(JsonModel):
    """Of an operation that takes no body: nothing, or an empty object."""


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
    password: TypedPassword | None = None
    label: Label | None = None


class NewDevice(JsonModel):
    """`device` is random and secret, and has at least 128 bits; `label` is what the list of devices calls it."""

    model_config = _example(device="c2f0b5d8-91e4-4a6d-8b37-0f5e7d2a9c16", label="tablet")

    device: Credential
    label: Label | None = None


class PasswordChange(JsonModel):
    """`old` is left out by a player without a password."""

    model_config = _example(new="four plain words here")

    old: TypedPassword | None = None
    new: Credential


class Act(JsonModel):
    model_config = _example(action="hunt", args={"foe": "slime"})

    action: ShortText
    args: dict[str, Any] = Field(default_factory=dict)


class Notice(JsonModel):
    """To all players, or to one; `reason` is for the audit log."""

    model_config = _example(text="Back in ten minutes.", reason="maintenance")

    player: PlayerId | None = None
    text: Annotated[Written, Field(min_length=1, max_length=1000)]
    reason: Reason


class Because(JsonModel):
    """Why an admin makes this change."""

    model_config = _example(reason="cheating, ticket 4711")

    reason: Reason


class OnVersion(Because):
    """Whose player has this version: with another one nothing changes (`player_changed`). A preview says it."""

    expected_version: Annotated[int | None, Field(ge=0, le=MAX_INTEGER)] = None


class ConsoleSignIn(JsonModel):
    """`code` is the one-time password, for a key that needs one; apps show it with a blank, which doesn't count."""

    model_config = _example(code="287082")

    code: Annotated[str, Field(max_length=16), AfterValidator(without_blanks)] | None = None


class BanPlayer(Because):
    """`until` ends the ban by itself; `said` is what the player is told when it signs in, `reason` is internal."""

    model_config = _example(reason="cheating, ticket 4711", until="2026-12-31T12:00:00Z", said="You used a bot.")

    until: Annotated[str | None, Field(max_length=40)] = None
    said: Annotated[str | None, StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")] = None


class Rebuild(Because):
    model_config = _example(reason="after a repair", season="current")

    season: Annotated[Season | None, Field(description="The present one unless given")] = None


class CorrectPlayer(OnVersion):
    """Values that become these, and of each item so many more, or fewer if the number is negative.

    `data` is what the game's rules remember of the player: names that get another value; null removes one.
    """

    model_config = _example(reason="a lost reward, ticket 4711", exp=1500, items={"potion": 3})

    hp: Annotated[int | None, Field(ge=0, le=MAX_INTEGER)] = None
    exp: Annotated[int | None, Field(ge=0, le=MAX_INTEGER)] = None
    class_name: Annotated[ShortText | None, Field(alias="class")] = None
    items: Annotated[dict[ShortText, ItemChange], Field(max_length=50)] = Field(default_factory=dict)
    data: Annotated[dict[DataName, NewDatum], Field(max_length=50)] = Field(default_factory=dict)


class RenamePlayer(OnVersion):
    """`name` is also checked by the game's own rules."""

    model_config = _example(reason="an offensive name, ticket 4711", name="Brunhild II")

    name: Annotated[str, Field(max_length=20_000)]


class MailToPlayer(Because):
    """`text` is what the player reads, and `items` come with it."""

    model_config = _example(reason="a lost reward, ticket 4711", text="We are sorry.", items={"potion": 3})

    text: Annotated[Written, Field(min_length=1, max_length=1000)]
    items: Annotated[dict[ShortText, Annotated[int, Field(ge=1, le=MAX_INTEGER)]], Field(max_length=20)] = Field(
        default_factory=dict
    )


class DrainDatabase(Because):
    """`expected_plan` is the `plan` of a preview: if other moves would be ordered by now, it is refused."""

    model_config = _example(reason="the old server")

    expected_plan: Annotated[str | None, StringConstraints(pattern=r"^[0-9a-f]{16}$")] = None


class MoveSlots(DrainDatabase):
    """`slots` of `group`, such as 0-15, 20, go to `target`; without both the group is balanced."""

    model_config = _example(reason="the new server", group="players", slots="0-15, 20", target="two")

    group: ShortText
    slots: Annotated[str | None, StringConstraints(min_length=1, max_length=2000, pattern=r"^[0-9 ,-]+$")] = None
    target: ShortText | None = None


class UndoCommand(OnVersion):
    """`command_id` is that of an action, a letter or a correction in the player's ledger."""

    model_config = _example(reason="a bug of the hunt", command_id="019a2b3c-4d5e-7f60-8a1b-2c3d4e5f6071")

    command_id: Annotated[str, StringConstraints(pattern=LEDGER_ID)]


class RollBackPlayer(OnVersion):
    """Everything that the player did after the moment `to`, or after the version `to_version`, is undone."""

    model_config = _example(reason="an account that was stolen", to="2026-01-31T12:00:00.000Z")

    to: Annotated[str | None, Field(max_length=40)] = None
    to_version: Annotated[int | None, Field(ge=1, le=MAX_INTEGER)] = None


class SaveQuery(Because):
    """`query` has the parameters of rankings, as a URL has them, without those that only one player may fit.

    If `replace` is false, a name that is taken is refused.
    """

    model_config = _example(reason="for the spring event", query={"class": "mage", "min_level": "10"})

    replace: bool | None = None

    query: Annotated[dict[ShortText, Annotated[str, Field(min_length=1, max_length=64)]], Field(max_length=20)]


class NewNote(JsonModel):
    """For other operators: the player never sees it. Its text is reason enough, unless one is given."""

    model_config = _example(text="Claims that a brother played.")

    text: Annotated[Written, Field(min_length=1, max_length=2000)]
    reason: Reason = Field(default_factory=lambda: "a note")
