"""Friends and feeds: truth in Postgres, read from Redis."""
