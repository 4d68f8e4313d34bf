"""Tests of ``octavia.service_manager``, with a socket in place of systemd's."""

import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from octavia import programs, service_manager
from octavia.errors import InputError
from octavia.service_manager import Reporter


class Manager:
    """Receives what is told; ``told`` are the messages since the last call."""

    def __init__(self, name: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(name)
        self._socket.setblocking(False)

    def told(self) -> list[dict[str, str]]:
        found = []
        while True:
            try:
                message = self._socket.recv(65536).decode()
            except BlockingIOError:
                return found
            found.append(dict(line.split("=", 1) for line in message.splitlines()))

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["file", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Manager]:
    """A manager that listens, at a file or at one of the kernel's names."""
    name = str(tmp_path / "notify") if request.param == "file" else f"@octavia-test-{os.getpid()}"
    manager = Manager(f"\0{name[1:]}" if name.startswith("@") else name)
    monkeypatch.setenv("NOTIFY_SOCKET", name)
    yield manager
    manager.close()


def test_a_manager_hears_what_has_changed(manager: Manager) -> None:
    # When a process without a watchdog reports
    reporter = Reporter()
    reporter.report("Starting.", ready=False)
    reporter.report("Starting.", ready=False)
    reporter.report("Working.")
    reporter.report("Working.")
    reporter.report("Half of it works.", ready=False)
    # Then each change is told once, and ready it stays
    assert manager.told() == [
        {"STATUS": "Starting."},
        {"READY": "1", "STATUS": "Working."},
        {"STATUS": "Half of it works."},
    ]


def test_waiting_and_stopping_ask_for_time(manager: Manager) -> None:
    service_manager.waiting("Waiting for\nthe database.", 15)
    service_manager.stopping(600)
    assert manager.told() == [
        {"STATUS": "Waiting for the database.", "EXTEND_TIMEOUT_USEC": "135000000"},
        {"STOPPING": "1", "STATUS": "Stopping.", "EXTEND_TIMEOUT_USEC": "620000000"},
    ]


def test_a_watchdog_is_fed_while_the_process_lives(manager: Manager, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a watchdog of a minute, for this process
    monkeypatch.setenv("WATCHDOG_USEC", "60000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    clock = [1000.0]
    monkeypatch.setattr(service_manager.time, "monotonic", lambda: clock[0])
    reporter = Reporter()
    # When it reports every second for a minute, a half of it hanging
    for _ in range(61):
        reporter.report("Working.", alive=clock[0] < 1030)
        clock[0] += 1
    # Then the watchdog heard of it four times a minute as long as it lived
    assert ["WATCHDOG" in message for message in manager.told()] == [True, True]


@pytest.mark.parametrize("variables", [{"WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "soon"}, {"WATCHDOG_USEC": "-1"}])
def test_a_watchdog_that_is_not_meant_for_us_is_left_alone(
    manager: Manager, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"WATCHDOG_USEC": "60000000", **variables}.items():
        monkeypatch.setenv(name, value)
    Reporter().report("Working.")
    assert [set(message) for message in manager.told()] == [{"READY", "STATUS"}]


@pytest.mark.parametrize("name", ["/nowhere/notify", "@nobody-listens", "x" * 200, "vsock:2:1234"])
def test_a_manager_that_cannot_be_told_stops_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", name)
    with capture_logs() as logs:
        Reporter().report("Working.")
    assert [entry["event"] for entry in logs] == ["service_manager_not_told"]


def test_a_manager_that_does_not_listen_holds_nothing_up(manager: Manager) -> None:
    # Given a manager that has read nothing for a long time
    reporter = Reporter()
    with capture_logs() as logs:
        for number in range(5000):
            if logs:
                break
            reporter.report(f"Working: {number}.")
    # Then at some time it is not told, and that is all
    assert logs[0]["event"] == "service_manager_not_told"
    # And what it was not told, it hears once it reads again
    manager.told()
    reporter.report(f"Working: {number}.")
    assert manager.told() == [{"STATUS": f"Working: {number}."}]


def test_without_a_manager_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    with capture_logs() as logs:
        Reporter().report("Working.")
        service_manager.stopping(1)
    assert logs == []


def test_no_child_speaks_in_our_name(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"}
    for name in variables:
        monkeypatch.setenv(name, "1")
    assert not variables & set(programs.environment())


def passed(monkeypatch: pytest.MonkeyPatch, count: str, names: str = "", pid: str = str(os.getpid())) -> None:
    monkeypatch.setenv("LISTEN_PID", pid)
    monkeypatch.setenv("LISTEN_FDS", count)
    monkeypatch.setenv("LISTEN_FDNAMES", names)


@pytest.mark.parametrize("pid", ["", "1", "me"])
def test_sockets_for_another_process_are_not_taken(pid: str, monkeypatch: pytest.MonkeyPatch) -> None:
    passed(monkeypatch, "1", pid=pid)
    assert service_manager.inherited_socket() is None


@pytest.mark.parametrize("count", ["", "many", "-1", "1.5", "٣", "9" * 5000])
def test_a_number_of_sockets_that_is_none_is_refused(count: str, monkeypatch: pytest.MonkeyPatch) -> None:
    passed(monkeypatch, count)
    with pytest.raises(InputError, match="LISTEN_FDS") as refused:
        service_manager.inherited_socket()
    assert refused.value.code == "socket_unusable"


def test_no_socket_is_no_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    passed(monkeypatch, "0")
    assert service_manager.inherited_socket() is None


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ("", "0 of them"),
        ("api:metrics", "0 of them"),
        ("http:http", "2 of them"),
        ("http", None),
        ("metrics:http", None),
    ],
)
def test_of_several_sockets_the_one_with_the_name_is_taken(
    names: str, said: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given two files, which lie where the first two after standard error would
    with socket.create_server(("127.0.0.1", 0)) as wanted, socket.socket() as other:
        ours, theirs = (wanted, other) if names == "http" else (other, wanted)
        monkeypatch.setattr(service_manager, "_FIRST_FD", 500)
        os.dup2(ours.fileno(), 500)
        os.dup2(theirs.fileno(), 501)
        try:
            passed(monkeypatch, "2", names)
            if said is not None:
                with pytest.raises(InputError, match=said):
                    service_manager.inherited_socket()
                return
            taken = service_manager.inherited_socket()
            assert taken is not None
            with taken:
                assert taken.getsockname() == wanted.getsockname()
                assert not taken.get_inheritable()
        finally:
            for number in (500, 501):
                with suppress(OSError):
                    os.close(number)


@pytest.mark.parametrize(
    ("kind", "said"),
    [("file", "is no socket"), ("unix", "not one of TCP"), ("udp", "not one of TCP"), ("quiet", "does not listen")],
)
def test_a_file_that_is_no_listening_socket_is_refused(
    kind: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_manager, "_FIRST_FD", 500)
    made = {"unix": (socket.AF_UNIX, socket.SOCK_STREAM), "udp": (socket.AF_INET, socket.SOCK_DGRAM)}
    with (
        socket.socket(*made.get(kind, (socket.AF_INET, socket.SOCK_STREAM))) as given,
        (tmp_path / "file").open("w") as file,
    ):
        os.dup2(file.fileno() if kind == "file" else given.fileno(), 500)
        passed(monkeypatch, "1")
        try:
            with pytest.raises(InputError, match=said):
                service_manager.inherited_socket()
        finally:
            if kind == "file":
                os.close(500)
