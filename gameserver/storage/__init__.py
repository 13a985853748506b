"""Every word of SQL and Redis."""
