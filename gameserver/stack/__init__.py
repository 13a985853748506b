"""Real servers as child processes: Postgres, Valkey, nodes and HAProxy, for `gameserver up` and for the tests.

Door: `up` (`up`, `servers`, `nodes`, `receiver_of`), `clusters` (`failover_api`), `errors` (`StackError`), and the
doors of `processes`, `servers`, `backups` and `fleet`.
"""
