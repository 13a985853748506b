"""Real servers as child processes: Postgres, Valkey and nodes, for `gameserver up` and for the tests."""
