"""rediss://: a server behind TLS that asks for a client certificate. The TLS end is a proxy of the
test, because the server in the wheel is built without.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

import rmq
from rmq.errors import ConnectionLost
from rmq.testing import private_namespace
from tests.servers import Server, single_server


class TlsProxy:
    """Takes TLS connections and hands their bytes to a plain port, each way in a thread."""

    def __init__(self, context: ssl.SSLContext, target_port: int) -> None:
        self._context = context
        self._target_port = target_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                plain, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(plain,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        try:
            near = self._context.wrap_socket(plain, server_side=True)
        except (ssl.SSLError, OSError):
            plain.close()
            return
        far = socket.create_connection(("127.0.0.1", self._target_port))
        threading.Thread(target=_pump, args=(far, near), daemon=True).start()
        _pump(near, far)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError), source, target:
        while data := source.recv(65536):
            target.sendall(data)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    found = single_server()
    yield found
    found.stop()


@pytest.fixture
def secure(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A rediss:// URL; the environment says which certificates to use."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    mine = authority.issue_cert("rmq@example.org")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    mine.private_key_pem.write_to_path(tmp_path / "key.pem")
    mine.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    monkeypatch.setenv("RMQ_TLS_CA_FILE", str(tmp_path / "ca.pem"))
    monkeypatch.setenv("RMQ_TLS_CERT_FILE", str(tmp_path / "cert.pem"))
    monkeypatch.setenv("RMQ_TLS_KEY_FILE", str(tmp_path / "key.pem"))
    proxy = TlsProxy(context, server.port)
    yield f"rediss://127.0.0.1:{proxy.port}"
    proxy.close()


def test_a_message_goes_through_tls_with_a_client_certificate(secure: str) -> None:
    with rmq.connect(secure, namespace=private_namespace()) as client:
        queue = client.create_queue("orders")
        queue.send(b"hello")
        assert [one.body for one in queue.receive(wait=1)] == [b"hello"]


async def test_a_message_goes_through_tls_in_asyncio(secure: str) -> None:
    async with rmq.connect_async(secure, namespace=private_namespace()) as client:
        queue = await client.create_queue("orders")
        await queue.send(b"hello")
        assert [one.body for one in await queue.receive(wait=1)] == [b"hello"]


def test_a_server_of_an_unknown_authority_is_refused(
    secure: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    monkeypatch.setenv("RMQ_TLS_CA_FILE", str(tmp_path / "other.pem"))
    with (
        rmq.connect(secure, namespace=private_namespace(), retry_timeout=0.2) as client,
        pytest.raises(ConnectionLost, match="certificate"),
    ):
        client.create_queue("orders")


def test_without_our_certificate_the_server_refuses_us(
    secure: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RMQ_TLS_CERT_FILE")
    monkeypatch.delenv("RMQ_TLS_KEY_FILE")
    with (
        rmq.connect(secure, namespace=private_namespace(), retry_timeout=0.2) as client,
        pytest.raises(ConnectionLost),
    ):
        client.create_queue("orders")
