"""Which leaderboards the game has, and who stands on each."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from gameserver.rules.section import Key, Section

Score = Literal["exp"]


@dataclass(frozen=True, slots=True)
class Board:
    """A leaderboard: ranks by `score`, highest first, all players or those of one class."""

    name: str
    score: Score
    class_name: str | None = None


class BoardTable(Section):
    """A table under `[boards]`, before it is known whether its class exists."""

    score: Score
    class_name: Annotated[Key | None, Field(alias="class")] = None
