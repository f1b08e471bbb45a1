"""The servers the other tests stand on: they start, come back, and leave nothing behind."""

import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests import servers
from tests.servers import (
    PORTS,
    Cluster,
    ServerFailed,
    cluster,
    redis_binary,
    single_server,
    valkey_binary,
)


@pytest.fixture(scope="module", params=["valkey", "redis"])
def binary(request) -> Path:
    found = valkey_binary() if request.param == "valkey" else redis_binary()
    return found or pytest.skip("no redis-server on PATH")


@pytest.fixture(scope="module")
def nodes(binary):
    with cluster(binary=binary) as made:
        yield made


def test_a_server_answers_as_soon_as_it_is_returned(binary):
    with single_server(binary) as server, closing(server.client()) as client:
        assert client.ping()
        assert server.port in PORTS
        assert server.url == f"redis://127.0.0.1:{server.port}"


def test_a_killed_server_comes_back_on_its_port_with_what_it_wrote(binary):
    options = {"appendonly": "yes", "appendfsync": "always"}
    with single_server(binary, options=options) as server, closing(server.client()) as client:
        client.set("order", "17")
        server.kill()
        server.restart()

        assert client.get("order") == b"17"


def test_a_server_that_cannot_start_says_why():
    with pytest.raises(ServerFailed, match="no-such-option"):
        single_server(options={"no-such-option": "1"})


@pytest.mark.skipif(not servers._dying_with_parent(), reason="needs Linux and setpriv")
def test_a_server_ends_when_its_python_is_killed():
    """An interrupted test run must not fill the machine with servers."""
    script = """if True:
        import os, signal
        from tests.servers import single_server
        print(single_server().port, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    killed = subprocess.run(
        [sys.executable, "-c", script],
        cwd=Path(__file__).parents[1],
        stdout=subprocess.PIPE,
        check=False,
    )

    assert killed.returncode == -signal.SIGKILL
    servers._wait(lambda: servers._is_free(int(killed.stdout)), 5, "its port to be free again")


def test_a_cluster_serves_every_slot(nodes: Cluster):
    with closing(nodes.client()) as client:
        for number in range(100):
            client.set(f"order:{number}", number)

        assert [client.get(f"order:{n}") for n in range(100)] == [b"%d" % n for n in range(100)]
        assert len(client.get_primaries()) == len(client.get_replicas()) == 3


def test_a_cluster_outlives_a_primary(nodes: Cluster):
    lost = nodes.nodes[0]
    lost.kill()
    nodes.wait_until_settled()

    with closing(nodes.client()) as client:
        assert client.set("order", "17")

    lost.restart()
    nodes.wait_until_settled()
