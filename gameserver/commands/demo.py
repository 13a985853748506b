"""Loads players from a file's tables, once: players whose names exist already are left alone."""

import secrets
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from gameserver.commands.accounts import Accounts, Application
from gameserver.commands.command_ids import new_id
from gameserver.commands.repeating import Tell, repeated
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


async def load(accounts: Accounts, mapping: Mapping[str, Any], tell: Tell) -> Sequence[tuple[str, bool]]:
    """Signs the players up; each name, and whether it was new.

    A sign-up is repeated while a database can't be used, of which `tell` is told. Raises BadInput, and what is
    unavailable.
    """
    try:
        demo = _DEMO.validate_python(mapping)
    except ValidationError as error:
        faults = [FieldProblem(".".join(map(str, fault["loc"])), fault["msg"]) for fault in error.errors()]
        raise BadInput("The demo file can't be used.", errors=faults) from None
    return [(player.name, await _sign_up(accounts, player, tell)) for player in demo.players]


async def _sign_up(accounts: Accounts, player: DemoPlayer, tell: Tell) -> bool:
    application = Application(
        player.name,
        player.class_name,
        device=secrets.token_hex(16),
        hp=player.hp,
        exp=player.exp,
        shortest_name=1,
    )
    try:
        await repeated(partial(enroll, accounts, application, new_id(accounts.policy.now())), tell)
    except NameTaken:
        return False
    return True
