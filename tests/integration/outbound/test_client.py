"""Requests to real servers on this machine, by names whose addresses the test decides."""

import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import anyio
import httpx
import pytest

from octavia import outbound
from octavia.outbound import backend
from octavia.settings import Settings

TIMEOUT = httpx.Timeout(5)


class Server(ThreadingHTTPServer):
    """Remembers the Host header of each request."""

    daemon_threads = True

    def __init__(self) -> None:
        self.hosts: list[str | None] = []
        self.redirect = ""
        super().__init__(("127.0.0.1", 0), Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hung up is not worth a traceback."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.hosts.append(self.headers["Host"])
        self.send_response(302 if self.server.redirect else 200)
        if self.server.redirect:
            self.send_header("Location", self.server.redirect)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def get(url: str, allow: str, tls: ssl.SSLContext | None = None, resolve_seconds: float = 5) -> httpx.Response:
    async def request() -> httpx.Response:
        settings = Settings(outbound_allow=allow)
        async with outbound.client(settings, timeout=TIMEOUT, tls=tls, resolve_seconds=resolve_seconds) as client:
            with outbound.failures(url):
                return await client.get(url)

    return anyio.run(request)


def answer(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Have names resolved to these, one answer after another, the last for ever; returns what was asked for."""
    asked: list[str] = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return answers[min(len(asked), len(answers)) - 1]

    monkeypatch.setattr(backend, "resolve", resolve)
    return asked


def test_a_server_of_this_machine_is_not_reached(server: Server) -> None:
    # Given a server on a loopback address
    for host in ("localhost", "127.0.0.1", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1"):
        # When I ask for it in any spelling
        with pytest.raises(outbound.UrlNotAllowed, match="not public"):
            get(f"http://{host}:{server.server_port}/", allow="")
    # Then nothing was sent to it
    assert server.hosts == []


def test_an_allowed_one_is_reached_by_its_name(server: Server) -> None:
    # Given a server whose network is allowed
    # When I ask for it
    answered = get(f"http://localhost:{server.server_port}/", allow="127.0.0.0/8, ::1")
    # Then it answers, and was called by its name
    assert answered.status_code == 200
    assert server.hosts == [f"localhost:{server.server_port}"]


def test_the_connection_goes_to_the_address_that_was_checked(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a name that has an allowed address the first time it is looked up, and another one from then on
    asked = answer(monkeypatch, ["127.0.0.1"], ["10.0.0.1"])
    # When I ask for it
    answered = get(f"http://rebinding.example:{server.server_port}/", allow="127.0.0.1")
    # Then it was looked up once, and what was found then was used
    assert answered.status_code == 200
    assert asked == ["rebinding.example"]


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["8.8.8.8", "127.0.0.1"],
        ["8.8.8.8", "::1"],
        ["169.254.169.254"],
        ["fd00:ec2::254"],
        ["100.64.0.1"],
        ["::ffff:127.0.0.1"],
        ["fe80::1%eth0"],
    ],
)
def test_a_name_with_any_address_that_is_not_public_is_refused(
    server: Server, monkeypatch: pytest.MonkeyPatch, addresses: list[str]
) -> None:
    # Given a name of which one address is not public
    answer(monkeypatch, addresses)
    # When I ask for it
    with pytest.raises(outbound.UrlNotAllowed):
        get(f"http://innocent.example:{server.server_port}/", allow="")
    # Then nothing was sent
    assert server.hosts == []


def test_the_next_address_is_tried_when_one_does_not_answer(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a name with two allowed addresses, on the first of which nobody listens
    answer(monkeypatch, ["127.0.0.9", "127.0.0.1"])
    # When I ask for it
    # Then the second answers
    assert get(f"http://two.example:{server.server_port}/", allow="127.0.0.0/8").status_code == 200


def test_redirects_are_not_followed(server: Server) -> None:
    # Given a server that sends elsewhere
    server.redirect = f"http://127.0.0.1:{server.server_port}/elsewhere"
    # When I ask it
    answered = get(f"http://127.0.0.1:{server.server_port}/", allow="127.0.0.1")
    # Then that is its answer, and no other request was made
    assert answered.status_code == 302
    assert len(server.hosts) == 1


def test_proxies_of_the_environment_are_not_used(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a proxy in the environment that would pass on anything
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{server.server_port}")
    # When I ask for an address that is not public
    with pytest.raises(outbound.UrlNotAllowed):
        get("http://10.0.0.1/", allow="")
    # Then the proxy saw nothing of it
    assert server.hosts == []


def test_a_name_that_does_not_exist_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a name that cannot be resolved
    def resolve(host: str, port: int) -> list[str]:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(backend, "resolve", resolve)
    # When I ask for it
    with pytest.raises(outbound.UrlUnreachable, match="cannot be resolved") as caught:
        get("http://nowhere.example/?secret=1", allow="")
    # Then the error does not hold the query
    assert "secret" not in caught.value.message
    assert caught.value.retryable


def test_a_resolver_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a resolver that hangs
    hanging = threading.Event()
    monkeypatch.setattr(backend, "resolve", lambda host, port: hanging.wait(10))
    # When I ask for a name
    with pytest.raises(outbound.UrlUnreachable, match="not resolved in time"):
        get("http://slow.example/", allow="", resolve_seconds=0.1)
    # Then I am not kept
    hanging.set()


def test_a_refused_connection_is_unreachable(server: Server) -> None:
    # Given a port where nobody listens
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        # When I connect to it
        # Then it is unreachable
        with pytest.raises(outbound.UrlUnreachable, match="does not answer"):
            get(f"http://127.0.0.1:{unused.getsockname()[1]}/", allow="127.0.0.1")


def test_certificates_are_checked_by_name(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a server with a certificate for good.example, and two names that lead to it
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-keyout", str(key), "-out", str(certificate), "-days", "2", "-subj", "/CN=good.example"]
    subprocess.run([*command, "-addext", "subjectAltName=DNS:good.example"], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    trusting = ssl.create_default_context(cafile=str(certificate))
    answer(monkeypatch, ["127.0.0.1"])
    # When I ask by the right name
    # Then it answers
    assert get(f"https://good.example:{server.server_port}/", "127.0.0.1", trusting).status_code == 200
    # When I ask by the other one, or trust only the usual authorities
    # Then it is refused
    with pytest.raises(outbound.UrlUnreachable, match="certificate"):
        get(f"https://evil.example:{server.server_port}/", "127.0.0.1", trusting)
    with pytest.raises(outbound.UrlUnreachable, match="certificate"):
        get(f"https://good.example:{server.server_port}/", "127.0.0.1")
    # When the environment names the authority, then the operator trusts it
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert get(f"https://good.example:{server.server_port}/", "127.0.0.1").status_code == 200
