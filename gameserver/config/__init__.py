"""Typed settings, from a TOML file and the environment; every fault is reported at once, each with its path.

Door: `settings` (`Settings`, `load`), `errors` (`ConfigFault`), `files` (`read_toml`), `ports` (`address`),
`game_modules` (`let_import`), `servers` (`DatabaseSettings`, `RedisSettings`), `deployment` (`NodeSettings`,
`HAProxySettings`, ...), `origins` (which web pages may use the server), `networks` (what addresses are compared with),
`limits` (`PerMinute`, `PerSecond`), `backups` (`BackupSettings`), `tracing` (`TracingSettings`), `sections` (the other
sections), `postgres_url` (the addresses of a database's URL, `Place`), `redis_url` (`RedisUrl`, `RedisAccess`),
`naming` (what databases, nodes and replicas may be called).
"""
