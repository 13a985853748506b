"""Alembic histories, one per table group."""
