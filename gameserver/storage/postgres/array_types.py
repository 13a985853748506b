"""The arrays of Postgres' own types, which the driver would ask each new connection's server about.

Its question is a recursive query over the catalogue, some milliseconds of both sides for each array that a connection
meets first: as much as connecting. The numbers are assigned by hand in Postgres' `pg_type.dat` and never change.
"""

from typing import Any

import asyncpg

ARRAYS = {
    "bool": (1000, 16),
    "bytea": (1001, 17),
    "int2": (1005, 21),
    "int4": (1007, 23),
    "text": (1009, 25),
    "varchar": (1015, 1043),
    "int8": (1016, 20),
    "float8": (1022, 701),
    "timestamptz": (1185, 1184),
    "uuid": (2951, 2950),
    "json": (199, 114),
    "jsonb": (3807, 3802),
}
"""By the type's name: the numbers of its array and its own."""


def _described(name: str, number: int, element: int) -> dict[str, Any]:
    """As the driver's own question would be answered."""
    return {
        "oid": number,
        "ns": "pg_catalog",
        "name": f"_{name}",
        "kind": b"b",
        "basetype": None,
        "elemtype": element,
        "elemdelim": ",",
        "range_subtype": None,
        "attrtypoids": None,
        "attrnames": None,
        "depth": 0,
        "basetype_name": None,
        "elemtype_name": name,
        "range_subtype_name": None,
    }


_DESCRIBED = [_described(name, *numbers) for name, numbers in ARRAYS.items()]


def introduce(connection: asyncpg.Connection) -> None:
    """Tells a connection of them; again after each codec that is set, at which the driver forgets all arrays."""
    connection.get_settings().register_data_types(_DESCRIBED)
