"""Real servers as child processes: Postgres, Valkey, nodes and HAProxy, for `gameserver up` and for the tests."""
