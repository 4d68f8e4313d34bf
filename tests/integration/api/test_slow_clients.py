"""A client that drips, or stops, is let go of; one that is merely slow is served."""

import socket
import time
from pathlib import Path

import httpx
import pytest

from octavia.settings import Settings
from tests.integration.api.conftest import Stored
from tests.integration.api.server import RawClient, Server

FORM = "multipart/form-data; boundary=xyz"
HEAD = (
    b'--xyz\r\nContent-Disposition: form-data; name="type"\r\n\r\ntranscribe\r\n'
    b'--xyz\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
)
END = b"\r\n--xyz--\r\n"
HEAD_REQUEST = b"HEAD /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
"""Without a body, the answer comes in one piece."""

HEADER_SECONDS = 0.6
KEEP_ALIVE_SECONDS = 2
BODY_SECONDS = 3.0
"""Longer than a machine stalls: clients that send now and then must not be taken for such as have stopped."""

NEVER = 10.0
"""Beyond its time: by then a connection would have been closed, however slow the machine."""


@pytest.fixture
def settings(tmp_path: Path, sqlite_url: str) -> Settings:
    return Settings(
        data_dir=tmp_path,
        models_dir=tmp_path / "models",
        database_url=sqlite_url,
        header_timeout_seconds=HEADER_SECONDS,
        keep_alive_seconds=KEEP_ALIVE_SECONDS,
        body_timeout_seconds=BODY_SECONDS,
        body_bytes_per_second=1000,
    )


def drip(connection: socket.socket, data: bytes, pause: float = 0.02) -> None:
    """Send a byte at a time until the server has had enough."""
    connection.settimeout(pause)
    for position in range(len(data)):
        try:
            connection.sendall(data[position : position + 1])
            if connection.recv(65536) == b"":
                return
        except TimeoutError:
            continue
        except OSError:
            return
    raise AssertionError("it is still open")


def test_headers_that_drip_are_not_waited_for(server: Server) -> None:
    # Given a client that sends its headers a byte at a time, for ever
    started = time.monotonic()
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        drip(connection, b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X: y\r\n" * 100)
    # Then it is cut off when its time is over, and not much later
    assert HEADER_SECONDS * 0.9 < time.monotonic() - started < HEADER_SECONDS + NEVER


@pytest.mark.parametrize("before", [b"", HEAD_REQUEST], ids=["first", "second"])
def test_a_request_that_stops_within_its_headers_is_let_go_of(server: Server, before: bytes) -> None:
    # Given connections that may idle for long
    server.config.timeout_keep_alive = 600
    with socket.create_connection(("127.0.0.1", server.port), timeout=HEADER_SECONDS + NEVER) as connection:
        # When a request begins and goes no further, be it sent along with another one
        connection.sendall(before + b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n")
        received = b""
        while data := connection.recv(65536):
            received += data
    # Then its connection ends, after the answer to the other
    assert received.count(b"HTTP/1.1 200 ") == (1 if before else 0)


def test_a_connection_may_be_opened_long_before_it_is_used(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        # Given a connection that is used late, again and again, though none of its headers take long
        for _ in range(3):
            time.sleep(HEADER_SECONDS * 1.2)
            connection.sendall(HEAD_REQUEST)
            assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
        # When another request begins on it and drips, then it is cut off
        started = time.monotonic()
        drip(connection, HEAD_REQUEST[:-2] + b"X: y\r\n" * 100)
    assert time.monotonic() - started < HEADER_SECONDS + NEVER


def test_requests_that_are_sent_at_once_are_answered_in_turn(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        # When a client sends two requests and the beginning of a third without waiting
        connection.sendall(HEAD_REQUEST * 2 + HEAD_REQUEST[:20])
        # Then it gets two answers, and a third with the rest
        received = b""
        while received.count(b"\r\n\r\n") < 2:
            received += connection.recv(65536)
        connection.sendall(HEAD_REQUEST[20:])
        while received.count(b"\r\n\r\n") < 3:
            received += connection.recv(65536)
        assert received.count(b"HTTP/1.1 200 ") == 3


@pytest.mark.parametrize("request_first", [False, True])
def test_an_idle_connection_is_kept_for_a_while_and_not_for_ever(server: Server, request_first: bool) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=KEEP_ALIVE_SECONDS + NEVER) as connection:
        started = time.monotonic()
        if request_first:
            connection.sendall(HEAD_REQUEST)
            assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
        assert connection.recv(1) == b""
    assert KEEP_ALIVE_SECONDS * 0.9 < time.monotonic() - started < KEEP_ALIVE_SECONDS + NEVER


def test_by_default_the_proxy_ends_an_idle_connection_before_we_do(sqlite_url: str) -> None:
    # nginx, and most load balancers, keep an idle connection for 60 s; one that we ended first would cost them a 502
    assert Server(Settings(database_url=sqlite_url)).config.timeout_keep_alive == 75


def test_a_websocket_is_no_request_whose_headers_take_long(server: Server) -> None:
    # Given a WebSocket that is open for longer than headers may take
    from websockets.sync.client import connect

    job = httpx.post(
        f"http://127.0.0.1:{server.port}/api/v1/jobs",
        json={"type": "translate", "text": "Hi.", "source_language": "en", "target_language": "es"},
    ).json()
    with connect(f"ws://127.0.0.1:{server.port}/api/v1/jobs/{job['id']}/ws") as websocket:
        assert "queued" in str(websocket.recv(10))
        with pytest.raises(TimeoutError):
            websocket.recv(HEADER_SECONDS * 2)
        # Then it is still there
        httpx.post(f"http://127.0.0.1:{server.port}/api/v1/jobs/{job['id']}/cancel")
        assert "canceled" in str(websocket.recv(10))


def test_an_upload_that_stalls_is_ended(server: Server, stored: Stored) -> None:
    # Given a client that sends half of its file and then nothing
    with RawClient(server.port) as client:
        client.post(Content_Type=FORM, Transfer_Encoding="chunked")
        client.send_chunk(HEAD + b"x" * 1000)
        # Then it is told so, and nothing is left of it
        answer = client.answer()
    assert answer.startswith("HTTP/1.1 408 ")
    assert "upload_stalled" in answer
    assert "connection: close" in answer.lower()
    assert stored.empty


@pytest.mark.parametrize("content_type", [FORM, "application/json"])
def test_a_body_that_drips_is_ended(server: Server, stored: Stored, content_type: str) -> None:
    # Given a client that sends a few bytes now and then, for ever
    with RawClient(server.port) as client:
        client.post(Content_Type=content_type, Transfer_Encoding="chunked")
        started = time.monotonic()
        client.send_chunk(HEAD if content_type == FORM else b" ")
        while not client.answered():
            client.send_chunk(b" ")
            assert time.monotonic() - started < BODY_SECONDS + 20
        answer = client.answer()
    assert answer.startswith("HTTP/1.1 408 ")
    assert "upload_too_slow" in answer
    assert stored.empty


def test_a_body_that_is_slow_and_steady_arrives(server: Server) -> None:
    # Given a client that takes longer than any pause may be, and is faster than it must be
    with RawClient(server.port) as client:
        client.post(Content_Type=FORM, Transfer_Encoding="chunked", Connection="close")
        client.send_chunk(HEAD)
        for _ in range(6):
            client.send_chunk(b"x" * 2000)
            time.sleep(BODY_SECONDS / 5)
        client.send_chunk(END)
        client.send_chunk(b"")
        answer = client.answer()
    assert answer.startswith("HTTP/1.1 202 ")
