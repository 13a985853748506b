"""JSON objects as Redis has them, where something else may stand in their place."""

from typing import Any

import orjson


def fields_of(answer: object) -> dict[str, Any]:
    """Those of the object that Redis answered; none for anything else: no key, an error, another text."""
    try:
        fields = orjson.loads(answer) if isinstance(answer, bytes) else {}
    except orjson.JSONDecodeError:
        return {}
    return fields if isinstance(fields, dict) else {}
