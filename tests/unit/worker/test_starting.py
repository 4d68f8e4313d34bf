"""Whatever passes by itself is waited for at a start; whatever does not ends it at once."""

import signal
import threading
import time

import pytest
from structlog.testing import capture_logs

from octavia import observability
from octavia.errors import Unavailable
from octavia.jobs.tables.database import Database
from octavia.settings import Settings
from octavia.worker.starting import lasts, refuse_wrong_settings, until_available
from octavia.worker.supervisor import Supervisor
from tests.support.waiting import until


def _away(reason: str) -> Unavailable:
    return Unavailable("The database does not answer.", reason=reason, code="database_unavailable", hint="Start it.")


class Service:
    """Is away at its first calls, for these reasons."""

    def __init__(self, *reasons: str) -> None:
        self._reasons = iter(reasons)

    def __call__(self) -> None:
        for reason in self._reasons:
            raise _away(reason)


def test_a_service_that_is_away_is_waited_for_with_growing_pauses() -> None:
    # Given a database that is away at three tries
    pauses: list[float] = []
    # When a process that needs it starts
    with capture_logs() as logs:
        assert until_available("supervisor", Service("refused", "starting up", "timeout"), pauses.append)
    # Then it has waited longer each time, and said so, with the reason and the remedy
    assert pauses == [0.5, 1, 2]
    assert [line["event"] for line in logs] == ["supervisor_waiting"] * 3
    assert logs[0]["detail"] == "The database does not answer. refused"
    assert logs[0]["hint"] == "Start it."


def test_an_order_to_stop_ends_the_wait() -> None:
    assert not until_available("supervisor", Service("refused"), lambda _: True)


@pytest.mark.parametrize(
    "reason",
    [
        'connection failed: FATAL:  password authentication failed for user "octavia"',
        'connection failed: FATAL:  role "octavia" does not exist',
        'connection failed: FATAL:  database "octavia" does not exist',
        "fe_sendauth: no password supplied",
        'FATAL:  no pg_hba.conf entry for host "10.0.0.7", user "octavia", database "octavia", no encryption',
        "FATAL:  no such database: octavia",
        "SSL error: certificate verify failed",
        'server certificate for "db" does not match host name "10.0.0.5"',
        "server does not support SSL, but SSL was required",
        "ConnectionClosedByBroker: (403) 'ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN.'",
        "ConnectionClosedByBroker: (530) 'NOT_ALLOWED - vhost octavia not found'",
        "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: Hostname mismatch",
        "unable to open database file",
        "",
    ],
)
def test_what_only_somebody_can_mend_ends_the_start(reason: str) -> None:
    # Given a service that refuses what the settings say
    assert lasts(_away(reason))
    # When a process starts, then it ends at once, also where it could wait
    with pytest.raises(Unavailable):
        until_available("supervisor", Service(reason), lambda _: False)
    with pytest.raises(Unavailable):
        refuse_wrong_settings("broker", Service(reason))


@pytest.mark.parametrize(
    "reason",
    [
        'connection to server at "127.0.0.1", port 5432 failed: Connection refused',
        "connection timeout expired",
        "FATAL:  the database system is starting up",
        "FATAL:  sorry, too many clients already",
        'could not translate host name "db" to address: Name or service not known',
        "server closed the connection unexpectedly",
        "it can only be read",
        "database is locked",
        "AMQPConnectionError",
        "[Errno -2] Name or service not known",
    ],
)
def test_what_passes_does_not_end_the_start(reason: str) -> None:
    assert not lasts(_away(reason))
    with capture_logs() as logs:
        refuse_wrong_settings("broker", Service(reason))
    assert [line["event"] for line in logs] == ["broker_away"]


@pytest.fixture
def supervisor(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Supervisor:
    monkeypatch.setattr(observability, "configure", lambda _: None)
    return Supervisor(Settings(database_url=sqlite_url), (), 0, deliver=False)


def test_a_supervisor_waits_for_its_database(supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a database that is away at the start
    service, check = Service("refused"), Database.check
    monkeypatch.setattr(Database, "check", lambda db: (service(), check(db)))
    monkeypatch.setattr(supervisor, "poll", lambda: signal.raise_signal(signal.SIGTERM))
    # When the supervisor runs
    with capture_logs() as logs:
        supervisor.run()
    # Then it has waited, and worked
    events = [line["event"] for line in logs]
    assert events.index("supervisor_waiting") < events.index("supervisor_ready") < events.index("supervisor_stopped")


def test_a_supervisor_that_waits_stops_when_told(supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a supervisor whose database does not come back
    asked = threading.Event()

    def check(_: Database) -> None:
        asked.set()
        raise _away("refused")

    monkeypatch.setattr(Database, "check", check)
    monkeypatch.setattr("octavia.worker.starting._FIRST_PAUSE", 600.0)
    monkeypatch.setattr("octavia.worker.starting._LONGEST_PAUSE", 600.0)

    def stop() -> None:
        until(asked.is_set)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)

    threading.Thread(target=stop).start()
    # When it is told to stop, then it does, long before it would try again
    began = time.monotonic()
    supervisor.run()
    assert time.monotonic() - began < 60
