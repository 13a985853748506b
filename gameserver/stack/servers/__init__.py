"""One class per kind of server: Postgres with Patroni and without, etcd, Valkey, Sentinel, a node, HAProxy.

Door: `postgres` (`PostgresServer`), `replica` (`PostgresReplica`), `redis` (`RedisServer`), `node` (`NodeProcess`),
`haproxy` (`HAProxyServer`), `haproxy_api` (`RuntimeApi`), `haproxy_config` (`HAProxyPlace`, `render`), `roles` (`ROLE`,
`SUPERUSER`), `standbys` (`ARCHIVE_SLOT`), `datafolder`, `managed` (`ManagedServer`), `etcd` (`EtcdPlace`,
`EtcdServer`), `failover` (`FailoverDatabase`), `patroni` (`PatroniServer`), `patroni_api` (`PatroniApi`,
`MemberState`), `patroni_settings` (`MemberPasswords`, `API_USER`, `REPLICATOR`), `watchdog` (`watched`), `sentinel`
(`SentinelPlaces`, `SentinelServer`, `WatchedRedis`), `local_http` (`BasicLogin`, `HOST`), `binaries`, `folders`.
"""
