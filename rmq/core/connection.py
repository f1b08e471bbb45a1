"""Connections: from a URL, or a client that the user already has, to something that can carry a
command to the node that owns a key.

    memory://[name]                     fakeredis in this process; the same name shares its data
    redis://host:port/db                one server; rediss:// with TLS; unix:///path
    redis+cluster://host1:p1,host2:p2   a cluster, found through any of these; rediss+cluster://

Our own clients never repeat a command by themselves: what may be repeated, and how, is for the
executor to decide. A blocking pop gets a longer read deadline than everything else.
"""

from __future__ import annotations

import re
import threading
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import redis
import redis.asyncio
from redis.asyncio.cluster import ClusterNode as AsyncClusterNode
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode
from redis.retry import Retry

from rmq.errors import ConfigurationError
from rmq.settings import Settings

SLICE_S = 20.0
"""The longest single block. A server that dies without a word is noticed after this."""
GRACE_S = 10.0
"""How much later than its own timeout a blocking pop may answer."""
MAX_CONNECTIONS = 10_000
"""A thousand waiting threads hold a thousand connections; the server's own limit comes first."""

SCHEMES = ("memory", "redis", "rediss", "unix", "redis+cluster", "rediss+cluster")

_servers: dict[str, Any] = {}
_servers_lock = threading.Lock()


def _memory_server(name: str) -> Any:
    """The server of that name in this process."""
    import fakeredis  # takes long to load, and most never need it

    with _servers_lock:
        if name not in _servers:
            _servers[name] = fakeredis.FakeServer()
        return _servers[name]


def _memory_client(name: str, is_async: bool) -> Any:
    import fakeredis

    kind = fakeredis.FakeAsyncRedis if is_async else fakeredis.FakeRedis
    return kind(server=_memory_server(name), max_connections=MAX_CONNECTIONS)


def _bad_url(url: str, why: str) -> ConfigurationError:
    url = re.sub(r"//[^@/]*@", "//…@", url)
    return ConfigurationError(
        f"url {url!r} {why}; use memory://, redis://host:port, rediss://host:port, unix:///path "
        "or redis+cluster://host1:port,host2:port"
    )


def _tls(settings: Settings) -> dict[str, Any]:
    found = {
        "ssl_ca_certs": settings.tls_ca_file,
        "ssl_certfile": settings.tls_cert_file,
        "ssl_keyfile": settings.tls_key_file,
    }
    return {name: str(path) for name, path in found.items() if path is not None}


def _nodes(url: str) -> tuple[list[tuple[str, int]], dict[str, Any]]:
    """Hosts and options of a cluster URL. Each host may have its port; 6379 is the default."""
    parts = urlsplit(url)
    credentials, _, hosts = parts.netloc.rpartition("@")
    options: dict[str, Any] = dict(parse_qsl(parts.query))
    if credentials:
        user, _, password = credentials.partition(":")
        options["username"], options["password"] = unquote(user) or None, unquote(password) or None
    nodes = []
    for host in filter(None, hosts.split(",")):
        name, _, port = host.strip().rpartition(":") if ":" in host else (host.strip(), "", "6379")
        if not name or not port.isdigit():
            raise _bad_url(url, f"has a host {host!r} that is not name:port")
        nodes.append((name.strip("[]"), int(port)))
    if not nodes:
        raise _bad_url(url, "names no host")
    return nodes, options


class Link:
    """A client and what the executor must know of it. The client is sync or async."""

    def __init__(self, client: Any, *, owned: bool, memory: bool = False, waiter: Any = None):
        self.client = client
        self.owned = owned
        self.memory = memory
        self.cluster = isinstance(client, (redis.RedisCluster, redis.asyncio.RedisCluster))
        self.waiter = waiter or client
        """The cluster client for blocking pops: a longer socket timeout than the other's."""
        pool = None if self.cluster else client.connection_pool
        kwargs = pool.connection_kwargs if pool is not None else _cluster_kwargs(client)
        if kwargs.get("decode_responses"):
            raise ConfigurationError(
                "the client handed in has decode_responses=True; messages are bytes, so make it "
                "with decode_responses=False"
            )
        self.pool: Any = pool if getattr(client, "connection", None) is None else None
        """Where connections are taken from directly; None goes through the client."""
        timeout = kwargs.get("socket_timeout")
        waits = self.pool is not None or waiter is not None or timeout is None
        self.slice_s = SLICE_S if waits else max(float(timeout or 0) - 1.0, 0.1)
        """The longest that one blocking pop may take on this client."""
        self.answer_s: float | None = timeout if owned and self.pool is not None else None
        """The longest that any other command may take, where the asyncio executor bounds it and not
        redis-py."""
        self.try_s: float | None = timeout
        """The longest that one try may take. A cluster's client adds tries of its own."""


def _cluster_kwargs(client: Any) -> dict[str, Any]:
    manager = getattr(client, "nodes_manager", None)
    kwargs: dict[str, Any] = getattr(manager, "connection_kwargs", None) or getattr(
        client, "connection_kwargs", {}
    )
    return kwargs


def link(target: Any, settings: Settings, *, is_async: bool) -> Link:
    """Make a Link from a URL or a redis-py client. Raises ConfigurationError."""
    if not isinstance(target, str):
        return _handed_in(target, is_async)
    scheme = urlsplit(target).scheme
    if scheme not in SCHEMES:
        raise _bad_url(target, f"has the scheme {scheme!r}" if scheme else "has no scheme")
    if scheme == "memory":
        name = target.partition("://")[2].strip("/")
        return Link(_memory_client(name, is_async), owned=True, memory=True)
    options: dict[str, Any] = {"socket_timeout": settings.socket_timeout}
    options["socket_connect_timeout"] = settings.socket_timeout
    if scheme.startswith("rediss"):
        options |= _tls(settings)
    try:
        if scheme.endswith("+cluster"):
            return _cluster(target, options, is_async)
        once = AsyncRetry(NoBackoff(), 0) if is_async else Retry(NoBackoff(), 0)
        plain = redis.asyncio.Redis if is_async else redis.Redis
        client = plain.from_url(target, retry=once, max_connections=MAX_CONNECTIONS, **options)
    except ValueError as error:
        raise _bad_url(target, f"can not be read ({error})") from error
    return Link(client, owned=True)


def _cluster(url: str, options: dict[str, Any], is_async: bool) -> Link:
    nodes, query = _nodes(url)
    options |= query
    options["max_connections"] = MAX_CONNECTIONS
    if url.startswith("rediss"):
        options["ssl"] = True
    wait = options | {"socket_timeout": SLICE_S + GRACE_S}

    def make(kwargs: dict[str, Any]) -> Any:
        if is_async:
            return redis.asyncio.RedisCluster(
                startup_nodes=[AsyncClusterNode(host, port) for host, port in nodes],
                **kwargs,
            )
        return _LazyCluster(
            lambda: redis.RedisCluster(
                startup_nodes=[ClusterNode(host, port) for host, port in nodes],  # type: ignore[no-untyped-call]
                **kwargs,
            )
        )

    if is_async:
        return Link(make(options), owned=True, waiter=make(wait))
    return _lazy_link(make(options), make(wait))


class _LazyCluster:
    """redis-py's sync cluster client connects when it is made; ours when it is first used, so
    that a cluster that is down for a moment is retried like any other trouble."""

    def __init__(self, make: Any) -> None:
        self._make = make
        self._client: redis.RedisCluster | None = None
        self._lock = threading.Lock()

    def execute_command(self, *args: Any, **kwargs: Any) -> Any:
        return self._connected().execute_command(*args, **kwargs)

    def pubsub(self, **kwargs: Any) -> Any:
        return self._connected().pubsub(**kwargs)

    def scan_iter(self, **kwargs: Any) -> Any:
        return self._connected().scan_iter(**kwargs)

    def _connected(self) -> Any:
        with self._lock:
            if self._client is None:
                self._client = self._make()
            return self._client

    def close(self) -> None:
        if self._client is not None:
            self._client.close()


def _lazy_link(client: _LazyCluster, waiter: _LazyCluster) -> Link:
    made = Link.__new__(Link)
    made.client, made.waiter, made.owned, made.memory = client, waiter, True, False
    made.cluster, made.pool, made.slice_s = True, None, SLICE_S
    return made


def _handed_in(client: Any, is_async: bool) -> Link:
    kinds: tuple[type, ...] = (redis.asyncio.Redis, redis.asyncio.RedisCluster)
    if not is_async:
        kinds = (redis.Redis, redis.RedisCluster)
    if not isinstance(client, kinds):
        wanted = " or ".join(
            f"{kind.__module__.split('.client')[0]}.{kind.__name__}" for kind in kinds
        )
        raise ConfigurationError(
            f"connect got a {type(client).__module__}.{type(client).__qualname__}; give it a URL, "
            f"or a {wanted}"
        )
    memory = type(client).__module__.partition(".")[0] == "fakeredis"
    return Link(client, owned=False, memory=memory)
