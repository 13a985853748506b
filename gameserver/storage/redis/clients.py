"""Clients for Redis in each way that it is run: one server, behind Sentinels, as a cluster.

Law: every wait has a deadline, and every failure is a RedisError. All three take the same calls: the keys of one call
share a hash tag, so a cluster runs the same scripts.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any, cast

from pydantic import SecretStr
from redis.asyncio import (
    BlockingConnectionPool,
    ConnectionPool,
    Redis,
    RedisCluster,
    Sentinel,
    SSLConnection,
)
from redis.asyncio.cluster import ClusterNode, ClusterPubSub
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import SentinelConnectionPool, SentinelManagedConnection
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as Lost
from redis.exceptions import RedisClusterException, ResponseError
from redis.exceptions import TimeoutError as Late

from gameserver.config import redis_url
from gameserver.config.errors import ConfigFault
from gameserver.config.redis_url import RedisAccess, RedisUrl
from gameserver.storage.redis import lost_keys
from gameserver.storage.redis.lean_connection import LeanConnection

CONNECTIONS = 64
OF_A_NODE = 3
"""Clients that a node has."""
IN_CLUSTERS = 2 * CONNECTIONS
"""To each of its servers: subscriptions and pipelines take some beside the calls."""
WAIT_SECONDS = 2
"""How long a call may wait for one of them."""
CALL_SECONDS = 5
"""How long a call to a cluster, or a pipeline, may take with all its redirections and retries."""
REDIRECTIONS = 3
WAITING: dict[str, Any] = {"max_connections": CONNECTIONS, "timeout": WAIT_SECONDS}
TIMES: dict[str, Any] = {
    "socket_timeout": 2,
    "socket_connect_timeout": 1,
    "health_check_interval": 15,
    "driver_info": None,
}


class _Secured(LeanConnection, SSLConnection):
    """Over TLS, with the client's one context: making another for each connection would block the node."""

    def __init__(self, *, context: ssl.SSLContext, **options: Any) -> None:
        super().__init__(**options)
        self.ssl_context.context = context


class _Master(SentinelManagedConnection, LeanConnection):
    """To a master that Sentinels name."""


class _SecuredMaster(SentinelManagedConnection, _Secured):
    """The same over TLS."""


class _Pool(BlockingConnectionPool):
    """Connections for which a call may wait.

    When one is lost, the idle ones are closed, too: after a restart of the server each of them would fail a call.
    """

    async def release(self, connection: AbstractConnection) -> None:
        lost = not connection.is_connected
        await super().release(connection)
        if lost and any(idle.is_connected for idle in self._available_connections):
            await self.disconnect(inuse_connections=False)


class _SentinelPool(SentinelConnectionPool, _Pool):
    """Connections to the present master, for which a call may wait."""

    async def aclose(self) -> None:
        await super().aclose()
        for sentinel in self.sentinel_manager.sentinels:
            await sentinel.aclose()


class _Channel(ClusterPubSub):
    """A subscription that refreshes the slots before it looks for its node, which the driver's class doesn't do."""

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        await self.cluster.initialize()
        try:
            return await super().execute_command(*args, **options)
        except (Lost, Late, OSError):
            self.cluster._initialize = True
            raise


class _Cluster(RedisCluster):
    """A cluster's client that waits for a connection instead of failing at once, and fails as the others do."""

    def __init__(self, connection: Mapping[str, Any], **options: Any) -> None:
        """`connection` is what `_connection` gives."""
        super().__init__(max_connections=IN_CLUSTERS, **options)
        self._free = asyncio.Semaphore(CONNECTIONS)
        self.connection_kwargs.update(connection)  # of nodes that join later
        for node in self.nodes_manager.startup_nodes.values():
            node.connection_kwargs.update(connection)
            node.connection_class = node.connection_kwargs.pop("connection_class", node.connection_class)

    async def initialize(self, *args: Any, **options: Any) -> "RedisCluster":
        with _as_redis_error():
            return await super().initialize(*args, **options)

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        async with in_time(), self._free:
            await self.initialize()  # without the slots it would send a call to any node
            return await super().execute_command(*args, **options)

    def pubsub(self, **options: Any) -> ClusterPubSub:  # type: ignore[override]
        return _Channel(self, **options)


@contextlib.asynccontextmanager
async def in_time() -> AsyncIterator[None]:
    """Bounds a call or a pipeline as a whole. Raises RedisError."""
    try:
        with _as_redis_error():
            async with asyncio.timeout(CALL_SECONDS):
                yield
    except TimeoutError as error:
        raise Late(f"Redis didn't answer within {CALL_SECONDS} s.") from error


async def send_all(redis: Redis, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
    """The replies to commands that go out in one write; the error that a server answers stands in its command's place.

    Commands have their name, such as EVALSHA, as first element. One whose key has another type deletes that and is sent
    again, as are those that follow for the same key. Raises RedisError when replies are lost.
    """
    async with in_time():
        answers = await _sent(redis, commands)
        if not any(map(lost_keys.is_refused, answers)):
            return answers
        refused = set[Any]()
        for number, command in enumerate(commands):
            if not command[0].startswith("EVAL") and (command[1] in refused or lost_keys.is_refused(answers[number])):
                refused.add(command[1])
                answers[number] = await _again(redis, command)
        return answers


async def send(redis: Redis, *command: Any) -> Any:
    """The reply to one command, whose key comes after its name. Raises RedisError."""
    (answer,) = await send_all(redis, [command])
    if isinstance(answer, Exception):
        raise answer
    return answer


async def _again(redis: Redis, command: tuple[Any, ...]) -> Any:
    try:
        return await lost_keys.command_again(redis, command)
    except ResponseError as error:
        return error


async def _sent(redis: Redis, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
    if not isinstance(redis, RedisCluster):
        return await _send_all(redis, commands)
    pipeline = redis.pipeline(transaction=False)
    for command in commands:
        pipeline.execute_command(*command)
    return list(await pipeline.execute(raise_on_error=False))


async def _send_all(redis: Redis, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
    """What the driver's pipeline does, at half its cost: that one prepares for what none of these commands needs."""
    connection = await redis.connection_pool.get_connection()  # type: ignore[no-untyped-call]
    try:
        await connection.send_packed_command(connection.pack_commands(commands))
        return [await _reply(connection) for _ in commands]
    finally:
        await redis.connection_pool.release(connection)


async def _reply(connection: AbstractConnection) -> Any:
    try:
        return await connection.read_response()
    except ResponseError as error:
        return error


@contextlib.contextmanager
def _as_redis_error() -> Iterator[None]:
    """A cluster's client raises something else than a RedisError when it finds no node."""
    try:
        yield
    except RedisClusterException as error:
        raise Lost(str(error)) from error


NO_ACCESS = RedisAccess()


def connect(url: SecretStr, access: RedisAccess = NO_ACCESS) -> Redis:
    """A client of its own connections, whose every wait has a deadline. Raises ValueError, ConfigFault."""
    return client_of(redis_url.parse(url), access)


def client_of(url: RedisUrl, access: RedisAccess) -> Redis:
    """A client of its own connections. Raises ConfigFault for files that don't hold what TLS needs."""
    options: dict[str, Any] = {**TIMES, "username": url.username, "password": _revealed(url.password)}
    context = _context(access) if url.tls else None
    match url.kind:
        case "server":
            return _of_server(url, context, options)
        case "sentinel":
            return _of_sentinels(url, access, context, options)
        case "cluster":
            return _of_cluster(url, context, options)


def per_node(redis: Redis) -> int:
    """How many connections a node with such clients takes from each server at the most."""
    return OF_A_NODE * (IN_CLUSTERS if isinstance(redis, RedisCluster) else CONNECTIONS)


def _of_server(url: RedisUrl, context: ssl.SSLContext | None, options: dict[str, Any]) -> Redis:
    ((host, port),) = url.hosts
    connection = _connection(context, LeanConnection, _Secured)
    return Redis.from_pool(_Pool(host=host, port=port, db=url.database, **WAITING, **options, **connection))


def _of_sentinels(url: RedisUrl, access: RedisAccess, context: ssl.SSLContext | None, options: dict[str, Any]) -> Redis:
    to_sentinels = {
        **TIMES,
        "socket_timeout": 1,
        "username": access.sentinel_username,
        "password": _revealed(access.sentinel_password),
        **_connection(context, LeanConnection, _Secured),
    }
    sentinels = Sentinel([], **options)  # type: ignore[no-untyped-call]
    sentinels.sentinels = [
        Redis.from_pool(ConnectionPool(host=host, port=port, **to_sentinels)) for host, port in url.hosts
    ]
    connection = _connection(context, _Master, _SecuredMaster)
    master: Redis = sentinels.master_for(
        url.master, connection_pool_class=_SentinelPool, db=url.database, **WAITING, **connection
    )
    return master


def _of_cluster(url: RedisUrl, context: ssl.SSLContext | None, options: dict[str, Any]) -> Redis:
    """The nodes of the settings are resolved again at every refresh, since a name may get another address."""
    seeds = [ClusterNode(host, port) for host, port in url.hosts]
    retry = Retry(NoBackoff(), REDIRECTIONS)
    connection = _connection(context, LeanConnection, _Secured)
    cluster = _Cluster(connection, startup_nodes=seeds, dynamic_startup_nodes=False, retry=retry, **options)
    return cast("Redis", cluster)  # not one by its class, but by every call that is made here


def _revealed(password: SecretStr | None) -> str | None:
    return None if password is None else password.get_secret_value()


def _connection(context: ssl.SSLContext | None, plain: type[LeanConnection], secured: type[_Secured]) -> dict[str, Any]:
    """The options that choose how a pool connects: over TLS if there is a context."""
    return {"connection_class": plain} if context is None else {"connection_class": secured, "context": context}


def _context(access: RedisAccess) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=access.ca)
        if access.certificate is not None:
            context.load_cert_chain(access.certificate, access.key)
    except ssl.SSLError as error:
        raise ConfigFault(f"[redis] ca, certificate and key don't hold what TLS needs: {error}") from error
    return context
