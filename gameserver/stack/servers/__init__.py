"""One class per kind of server: Postgres, Valkey, a node, HAProxy.

Door: `postgres` (`PostgresServer`), `replica` (`PostgresReplica`), `redis` (`RedisServer`), `node` (`NodeProcess`),
`haproxy` (`HAProxyServer`), `haproxy_api` (`RuntimeApi`), `haproxy_config` (`HAProxyPlace`, `render`), `roles` (`ROLE`,
`SUPERUSER`), `standbys` (`ARCHIVE_SLOT`), `datafolder`, `managed` (`ManagedServer`), `binaries`, `folders`.
"""
