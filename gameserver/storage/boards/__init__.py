"""Leaderboards in Redis, derived from the ledger and checked against it."""
