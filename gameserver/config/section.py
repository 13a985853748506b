"""What every section of the settings has in common: unknown fields are refused, and values never change.

Law: what is written means what it looks like. Numbers may be texts, as they are in the environment, but neither `true`
nor `5_0` is one.
"""

from typing import Annotated, Any, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

Seconds = Annotated[float, Field(gt=0, le=3600)]
DAY = 86_400
"""In seconds."""
LONGEST = 100 * 365 * DAY
"""Of what is kept or lasts, in seconds: moments end with the year 9999."""
_NUMBERS = frozenset((int, float))


class SettingsSection(BaseModel):
    """A table of the settings. Errors don't show the values that were given: some are secret."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    @field_validator("*", mode="before")
    @classmethod
    def _means_what_it_looks_like(cls, value: object, info: ValidationInfo) -> object:
        kinds = _kinds(cls.model_fields[info.field_name or ""].annotation)
        if _NUMBERS & kinds and not {bool, str} & kinds:
            for each in value if isinstance(value, list | tuple) else (value,):
                if isinstance(each, bool) or (isinstance(each, str) and "_" in each):
                    raise PydanticCustomError("number", "Input should be a number, in digits")
        return value


def _kinds(annotation: Any) -> frozenset[Any]:
    """The types that an annotation is made of."""
    inner = get_args(annotation)
    return frozenset().union(*map(_kinds, inner)) if inner else frozenset((annotation,))
