"""A proxy that is cut, mended and reset."""

import socket
import threading
from collections.abc import Iterator

import pytest

from chaos.proxy import Proxy
from tests.support.ports import free_port


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of a server that sends back what it gets."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                client = listener.accept()[0]
            except OSError:
                return
            with client:
                try:
                    while data := client.recv(100):
                        client.sendall(data)
                except OSError:
                    continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)


def connected(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=60)


def test_a_reset_ends_connections_without_a_farewell_and_lets_new_ones_through(echo: int) -> None:
    with Proxy(echo) as proxy:
        # Given a connection that works
        with connected(proxy) as client:
            client.sendall(b"one")
            assert client.recv(100) == b"one"
            # When the proxy resets what it has
            assert proxy.reset() == 1
            # Then it breaks, not ends
            with pytest.raises(ConnectionResetError):
                client.recv(100)
        # And the next one works
        with connected(proxy) as client:
            client.sendall(b"two")
            assert client.recv(100) == b"two"


def test_a_cut_ends_connections_until_it_is_mended(echo: int) -> None:
    with Proxy(echo) as proxy:
        with connected(proxy) as client:
            client.sendall(b"one")
            assert client.recv(100) == b"one"
            # When the line is cut, then what there is ends
            proxy.cut()
            assert client.recv(100) == b""
        # And so does what comes
        with connected(proxy) as client:
            assert client.recv(100) == b""
        # Until it is mended
        proxy.mend()
        with connected(proxy) as client:
            client.sendall(b"two")
            assert client.recv(100) == b"two"


def test_a_server_that_is_away_does_not_end_the_proxy(echo: int) -> None:
    # Given a proxy whose server does not listen yet
    port = free_port()
    with Proxy(port) as proxy:
        with connected(proxy) as client:
            assert client.recv(100) == b""
        # When it does, then connections go through
        with socket.create_server(("127.0.0.1", port)), connected(proxy) as client:
            client.sendall(b"one")
