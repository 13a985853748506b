"""The shape of a ledger row: the one place that writes it and the one that reads it."""

import orjson
from pydantic import BaseModel
from sqlalchemy import ColumnClause, literal_column


def json_of(value: object) -> str:
    """JSON as the ledger keeps it: the same value always gives the same text."""
    if isinstance(value, BaseModel):
        return value.model_dump_json()
    return orjson.dumps(value).decode()


TXID: ColumnClause[int] = literal_column("(select pg_current_xact_id()::text::bigint)")
