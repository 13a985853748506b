"""Settings from the environment: `GAMESERVER_NODE__PORT=8081` is `[node] port`.

A list or a table is written as JSON; a list may also be written with commas. A value that is neither is named with all
other faults of the settings, by its variable and without what it is: it may be a key.
"""

from collections.abc import Iterable
from typing import Any, get_origin

from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import EnvSettingsSource

from gameserver.config import naming

PREFIX, DELIMITER = "GAMESERVER_", "__"
_LISTS = (tuple, list, frozenset)
_JSON = ("{", '["', "['", "[ ", "[{", "[]")
"""How lists and tables begin that are meant as JSON; an address of IPv6 begins with a bracket, too."""


class NotJson(str):
    """What a variable holds in place of JSON."""

    __slots__ = ()


class EnvironmentVariables(EnvSettingsSource):
    """The variables; one that should be JSON and isn't has a NotJson as its value."""

    def decode_complex_value(self, field_name: str, field: FieldInfo | None, value: Any) -> Any:
        is_list = field is not None and get_origin(field.annotation) in _LISTS
        try:
            decoded = super().decode_complex_value(field_name, field, value)  # type: ignore[arg-type]
        except (ValueError, RecursionError):
            decoded = NotJson(value)
        if is_list and not isinstance(decoded, (list, dict)) and not value.strip().startswith(_JSON):
            return [part.strip() for part in value.split(",")]
        return decoded


def fault(error: ErrorDetails) -> str:
    """What is wrong with one of the settings, and with which, without its value."""
    if isinstance(error["input"], NotJson) and error["type"] != "extra_forbidden":
        return f"{PREFIX}{DELIMITER.join(map(str, error['loc'])).upper()}: isn't JSON, as a list or a table has to be"
    return f"{naming.place(error['loc']) or 'settings'}: {error['msg']}"


def unknown(names: Iterable[str], sections: Iterable[str]) -> list[str]:
    """What is wrong with variables that are meant for a section: those that name none of `sections`."""
    known = frozenset(sections)
    meant = sorted(name for name in names if name.upper().startswith(PREFIX) and DELIMITER in name)
    return [
        f"{name}: the settings have no section [{section}]"
        for name in meant
        if (section := name[len(PREFIX) :].partition(DELIMITER)[0].lower()) not in known
    ]
