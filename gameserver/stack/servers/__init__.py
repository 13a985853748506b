"""One class per kind of server: Postgres, Valkey, a node, HAProxy."""
