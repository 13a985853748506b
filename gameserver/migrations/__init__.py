"""The Alembic histories of the tables, one per table group; they import nothing of the rest of the package."""
