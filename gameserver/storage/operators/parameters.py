"""The parameters and the state of a database's server, as far as nodes depend on them."""

from collections.abc import Iterator
from typing import Any

import asyncpg

from gameserver.storage.operators.condition import Symptom
from gameserver.storage.postgres import statements

SQL = statements.load(__package__, "parameters.sql")
OLD = 1_000_000_000
"""Transactions: far beyond where autovacuum freezes by itself (`autovacuum_freeze_max_age`, 200 million)."""


async def read(connection: asyncpg.Connection) -> dict[str, Any]:
    """The facts. Raises what the driver does."""
    facts = dict(await connection.fetchrow(SQL["parameters"]))
    return {**facts, "pooled": facts.pop("pid") != connection.get_server_pid()}


def symptoms(facts: dict[str, Any]) -> Iterator[Symptom]:
    """What of the facts isn't as nodes need it."""
    if facts["pooled"]:
        problem = "a pooler stands in front of it: a node's connections, and what they set, aren't its own"
        yield Symptom("error", problem, "correct the URL: it must lead to the server itself, or a proxy of TCP")
    if facts["encoding"] != "UTF8":
        yield Symptom("error", f"its encoding is {facts['encoding']}", "create the database with encoding UTF8")
    if facts["reordered"]:
        problem = "the order of its texts changed with a library: the indexes that keep names unique may be wrong"
        yield Symptom("error", problem, "reindex database, then alter database … refresh collation version")
    if facts["read_only"]:
        problem = "default_transaction_read_only is on: nothing can be written"
        yield Symptom("error", problem, "turn it off for the role, the database and the server")
    if not facts["autovacuum"]:
        yield Symptom("warning", "autovacuum is off: tables grow, and slow down", "turn it on")
    if facts["oldest"] > OLD:
        problem = f"its oldest row is {facts['oldest']:,} transactions old: at 2,000,000,000 it stops"
        yield Symptom("warning", problem, "look for what holds vacuum up: old transactions, prepared ones, slots")
    yield from _room(facts)


def _room(facts: dict[str, Any]) -> Iterator[Symptom]:
    """What a move of slots would run into."""
    needed, free = facts["copying"], min(facts["slots_free"], facts["senders_free"])
    if free < needed:
        problem = f"{free} places for replication are free, and a move of slots takes up to {needed} at its source"
        yield Symptom("warning", problem, "raise max_replication_slots and max_wal_senders")
    if facts["workers"] < needed:
        problem = f"{facts['workers']} workers can apply what moves here, and a move of slots takes up to {needed}"
        yield Symptom("warning", problem, "raise max_logical_replication_workers and max_worker_processes")
