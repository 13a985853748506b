"""The bodies of what operators order of the game's rules."""

from typing import Annotated

from pydantic import ConfigDict, Field

from gameserver.transport.wire.fields import Moment
from gameserver.transport.wire.requests import Because

MOST_RULEBOOKS = 9999
MOST_EDITIONS = 2**31 - 1
SOONEST, LATEST = 5, 30 * 86_400
"""How far ahead other rules may be ordered, in seconds."""
Seconds = Annotated[int | None, Field(ge=SOONEST, le=LATEST)]


class OnEdition(Because):
    """`expected_edition` is the order to cancel, or the edition in force at the preview: refused if it is another."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "a typo", "expected_edition": 7}]})

    expected_edition: Annotated[int | None, Field(ge=0, le=MOST_EDITIONS)] = None


class SwitchRules(OnEdition):
    """When other rules are in force: `at` a moment, or `in_seconds`."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "hunts paid too much", "in_seconds": 60}]})

    at: Moment | None = None
    in_seconds: Seconds = None


class PublishRules(SwitchRules):
    """`game` is the whole text of a game.toml."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"reason": "easier foes", "in_seconds": 60, "game": "[levels]\nthresholds = [0, 100]\n"}]
        }
    )

    game: Annotated[str, Field(min_length=1)]
