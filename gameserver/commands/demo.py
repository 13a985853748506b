"""Loads players from a file's tables, once: players whose names exist already are left alone."""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from gameserver.commands.accounts import Accounts, Application
from gameserver.commands.command_ids import new_id
from gameserver.commands.sign_up import enroll
from gameserver.rules.errors import BadInput, FieldProblem, NameTaken


class DemoPlayer(BaseModel):
    """One `[[players]]` table."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: str
    class_name: str = Field(alias="class")
    hp: int
    exp: int


class Demo(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid")

    players: list[DemoPlayer]


_DEMO = TypeAdapter(Demo)


async def load(accounts: Accounts, mapping: Mapping[str, Any]) -> Sequence[tuple[str, bool]]:
    """Signs the players up; each name, and whether it was new. Raises BadInput."""
    try:
        demo = _DEMO.validate_python(mapping)
    except ValidationError as error:
        faults = [FieldProblem(".".join(map(str, fault["loc"])), fault["msg"]) for fault in error.errors()]
        raise BadInput("The demo file can't be used.", errors=faults) from None
    return [(player.name, await _sign_up(accounts, player)) for player in demo.players]


async def _sign_up(accounts: Accounts, player: DemoPlayer) -> bool:
    application = Application(
        player.name,
        player.class_name,
        device=secrets.token_hex(16),
        hp=player.hp,
        exp=player.exp,
        shortest_name=1,
    )
    try:
        await enroll(accounts, application, new_id(accounts.policy.now()))
    except NameTaken:
        return False
    return True
