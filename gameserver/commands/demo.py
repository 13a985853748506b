"""Loads players from a file's tables, once: those whose names exist are left alone."""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from gameserver.commands.accounts import Application, enroll
from gameserver.commands.backend import Backend
from gameserver.commands.play import command_id_or_new
from gameserver.rules.errors import BadInput, FieldProblem, NameTaken


class DemoPlayer(BaseModel):
    """One `[[players]]` table."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: str
    class_name: str = Field(alias="class")
    hp: int
    exp: int


class Demo(BaseModel):
    model_config = ConfigDict(extra="forbid")

    players: list[DemoPlayer]


_DEMO = TypeAdapter(Demo)


async def load(backend: Backend, mapping: Mapping[str, Any]) -> Sequence[tuple[str, bool]]:
    """Signs the players up; each name, and whether it was new. Raises BadInput."""
    try:
        demo = _DEMO.validate_python(mapping)
    except ValidationError as error:
        faults = [FieldProblem(".".join(map(str, each["loc"])), each["msg"]) for each in error.errors()]
        raise BadInput("The demo file can't be used.", errors=faults) from None
    return [(each.name, await _sign_up(backend, each)) for each in demo.players]


async def _sign_up(backend: Backend, player: DemoPlayer) -> bool:
    application = Application(
        player.name,
        player.class_name,
        device=secrets.token_hex(16),
        hp=player.hp,
        exp=player.exp,
        shortest_name=1,
    )
    try:
        await enroll(backend, application, command_id_or_new(backend, None, "command_id"))
    except NameTaken:
        return False
    return True
