"""The port on which a process shows its metrics: formats, other processes on it, and clients that do not read."""

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest
from prometheus_client import CollectorRegistry, Counter
from structlog.testing import capture_logs

from octavia.metrics import port as module
from octavia.metrics.port import Port
from tests.support.metrics import scrape, value
from tests.support.ports import free_port
from tests.support.waiting import until


@pytest.fixture
def registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    Counter("test_total", "Of a test.", registry=registry).inc(3)
    return registry


@pytest.fixture
def port(registry: CollectorRegistry) -> Iterator[int]:
    number = free_port()
    port = Port("127.0.0.1", number, registry)
    port.start()
    port.start()
    until(lambda: _listens(number))
    yield number
    port.stop()
    until(lambda: not _listens(number))


def _listens(number: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", number)) == 0


def test_it_answers_in_the_format_that_is_asked_for(port: int) -> None:
    # Given a port
    # When it is asked for both formats
    plain, open_metrics = scrape(port), scrape(port, accept="application/openmetrics-text; version=1.0.0")
    nonsense = scrape(port, accept="application/openmetrics-text; version=one")
    # Then each comes
    assert value(plain, "test_total") == value(nonsense, "test_total") == 3
    assert open_metrics.endswith("# EOF\n")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "[evil", "::1.evil"])
def test_a_page_of_another_host_cannot_ask_through_a_browser(port: int, host: str) -> None:
    # Given a port on loopback
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    # When a request names a host that a stranger's name service has turned to this machine
    connection.request("GET", "/metrics", headers={"host": host})
    # Then it is refused
    assert connection.getresponse().status == 403


@pytest.mark.parametrize("host", ["localhost", "localhost:9464", "127.0.0.1", "[::1]:9464", "192.0.2.7:80"])
def test_this_machine_may_ask_by_any_address(port: int, host: str) -> None:
    # Given a port on loopback
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    # When a request names an address
    connection.request("GET", "/metrics", headers={"host": host})
    # Then it is answered
    assert connection.getresponse().status == 200


@pytest.mark.parametrize(("method", "status"), [("POST", 405), ("DELETE", 405), ("OPTIONS", 200)])
def test_it_can_only_be_read(port: int, method: str, status: int) -> None:
    # Given a port
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    # When somebody writes to it
    connection.request(method, "/metrics", body=b"x")
    # Then that is refused
    assert connection.getresponse().status == status


def test_a_port_that_is_taken_is_told_and_taken_when_it_is_free(registry: CollectorRegistry) -> None:
    # Given a port that another process listens on
    with closing(socket.socket()) as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        number = other.getsockname()[1]
        port = Port("127.0.0.1", number, registry)
        # When this one starts
        with capture_logs() as logs:
            port.start()
            until(lambda: any(line["event"] == "metrics_port_waiting" for line in logs))
    # Then it says so, without a traceback, and takes the port when the other is gone
    (line, *_) = [line for line in logs if line["event"] == "metrics_port_waiting"]
    assert line["log_level"] == "warning"
    assert str(number) in line["detail"]
    until(lambda: _listens(number), 20)
    assert value(scrape(number), "test_total") == 3
    port.stop()


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_an_address_of_another_machine_is_told(registry: CollectorRegistry, host: str) -> None:
    # Given an address that is not of this machine
    port = Port(host, 19999, registry)
    # When it starts
    with capture_logs() as logs:
        port.start()
        # Then it says so
        until(lambda: any(line["event"] == "metrics_port_waiting" for line in logs), 20)
    port.stop()


def test_clients_that_say_nothing_keep_nobody_out_and_are_cut_off(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given many clients that connect and say nothing, or begin to and stop, and others that never read
    before = threading.active_count()
    with ExitStack() as stack:
        for number in range(24):
            client = stack.enter_context(closing(socket.create_connection(("127.0.0.1", port), timeout=10)))
            client.sendall([b"", b"GET /met", b"GET /metrics HTTP/1.1\r\nx: y\r\n"][number % 3])
        # When Prometheus asks
        began = time.monotonic()
        assert value(scrape(port), "test_total") == 3
        # Then it is answered, and the others took few threads
        assert time.monotonic() - began < 5
        assert threading.active_count() - before <= module._AT_ONCE
    # And when few of them stay, they are cut off after their time
    monkeypatch.setattr(module, "_SECONDS", 0.2)
    with closing(socket.create_connection(("127.0.0.1", port), timeout=10)) as slow:
        slow.sendall(b"GET ")
        assert slow.recv(1) == b""
    until(lambda: threading.active_count() <= before)
