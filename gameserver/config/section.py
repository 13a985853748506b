"""What every section of the settings has in common: unknown fields are refused, and values never change."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Seconds = Annotated[float, Field(gt=0, le=3600)]
DAY = 86_400
"""In seconds."""


class SettingsSection(BaseModel):
    """A table of the settings. Errors don't show the values that were given: some are secret."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
