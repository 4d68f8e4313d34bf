"""The service with TLS on the way to RabbitMQ and to PostgreSQL, both of which ask for a client's certificate."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from octavia.cli.doctor.broker_checks import broker
from octavia.cli.doctor.findings import Finding, Verdict
from octavia.errors import Unavailable
from octavia.jobs.tables.database import Database
from octavia.settings import Settings
from rabbitmq.node import Node, Ports
from tests.e2e.service import service
from tests.support.ports import free_port, free_ports
from tests.support.postgres import PrivatePostgres
from tests.support.tls import Authority, secure

pytestmark = pytest.mark.timeout(600)  # minutes, where the machine is slow and has more to do than this

NAME = "localhost"


@dataclass(frozen=True)
class Place:
    """Where RabbitMQ and PostgreSQL take connections over TLS, as ``localhost``."""

    authority: Path
    certificate: Path
    key: Path
    amqps: int
    postgres: PrivatePostgres

    def broker(self, host: str = NAME, *, client: bool = True, more: str = "") -> str:
        given = f"&certfile={self.certificate}&keyfile={self.key}" if client else ""
        return f"amqps://guest:guest@{host}:{self.amqps}/?cacertfile={self.authority}{given}{more}"

    def database(self, name: str, host: str = NAME, *, client: bool = True, authority: Path | None = None) -> str:
        given = f"&sslcert={self.certificate}&sslkey={self.key}" if client else ""
        root = authority or self.authority
        at = f"postgres@{host}:{self.postgres.port}/{name}"
        return f"postgresql+psycopg://{at}?sslmode=verify-full&sslrootcert={root}{given}"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("tls")
    authority = Authority(folder)
    server, client = authority.issue(NAME), authority.issue("octavia.example")
    amqps = free_port()
    configuration = (
        f"listeners.ssl.1 = 127.0.0.1:{amqps}",
        f"ssl_options.cacertfile = {authority.certificate}",
        f"ssl_options.certfile = {server.certificate}",
        f"ssl_options.keyfile = {server.key}",
        "ssl_options.verify = verify_peer",
        "ssl_options.fail_if_no_peer_cert = true",
    )
    node = Node(folder / "data", Ports(*free_ports(5)), output=folder / "rabbitmq.log", more=configuration)
    postgres = PrivatePostgres()
    node.start()
    try:
        secure(postgres.start(), authority, NAME)
        node.wait(300)
        yield Place(authority.certificate, client.certificate, client.key, amqps, postgres)
    finally:
        node.stop(grace=0)
        postgres.stop()


def finding(url: str) -> Finding:
    """What the doctor finds first about a broker's URL."""
    return broker(Settings(broker_url=url, queue_prefix="tls"))[0]


def refused(url: str) -> Unavailable:
    database = Database(url)
    with pytest.raises(Unavailable) as caught:
        database.check()
    database.close()
    return caught.value


def test_a_job_is_completed_over_tls(place: Place, tmp_path: Path) -> None:
    # Given a database and a broker that can be reached over TLS only
    name = place.postgres.create()
    with service(
        tmp_path, OCTAVIA_DATABASE_URL=place.database(name), OCTAVIA_BROKER_URL=place.broker(), OCTAVIA_AUTH="off"
    ) as running:
        # When the tables are made, and API and workers started
        assert running.start("upgrade", "db", "upgrade").wait(300) == 0, running.logs()
        running.start("worker", "worker", "--queues", "default,translate", "--slots", "1")
        running.start("api", "serve", "--port", str(running.port))
        running.until_ready(300)
        text = {"type": "translate", "source_language": "en", "target_language": "es", "text": "The boat is ready."}
        job = running.client.post("/api/v1/jobs", json=text).raise_for_status().json()

        # Then a job is completed
        assert running.until_ended(job["id"])["status"] == "completed"

        # And every connection is encrypted, that of the API which listens for news included
        with place.postgres.connect("postgres") as connection:
            sessions = connection.execute(
                "SELECT query LIKE 'LISTEN%%', ssl FROM pg_stat_activity JOIN pg_stat_ssl USING (pid) "
                "WHERE datname = %s",
                [name],
            ).fetchall()
        assert {encrypted for _, encrypted in sessions} == {True}
        assert any(listens for listens, _ in sessions)


def test_the_doctor_tells_what_is_missing_for_the_broker(place: Place) -> None:
    # Given all that is needed, by the name in the certificate, or by another one and with that name
    for url in (place.broker(), place.broker("127.0.0.1", more=f"&server_name_indication={NAME}")):
        assert finding(url).verdict is Verdict.GOOD
        assert finding(url).detail.endswith(f":{place.amqps} answers over TLS")
    # When the name is another, the client's certificate is left out, or TLS
    for url, remedy in {
        place.broker("127.0.0.1"): "server_name_indication=NAME",
        place.broker(client=False): "?certfile=PATH&keyfile=PATH",
        f"amqp://guest:guest@127.0.0.1:{place.amqps}/": "amqps://",
    }.items():
        # Then it is not let in, and reads what to do
        found = finding(url)
        assert found.verdict is Verdict.BAD, found
        assert remedy in found.remedy, found


def test_the_error_tells_what_is_missing_for_the_database(place: Place, tmp_path: Path) -> None:
    # Given one that is reached with all that is needed
    name = place.postgres.create()
    database = Database(place.database(name))
    database.upgrade()
    database.check()
    database.close()
    # When the name is another, the authority, or the client's certificate is left out
    stranger = Authority(tmp_path)
    for url, reason in {
        place.database(name, "127.0.0.1"): "does not match host name",
        place.database(name, authority=stranger.certificate): "certificate verify failed",
        place.database(name, client=False): "requires a valid client certificate",
    }.items():
        # Then it is not let in, and reads where to look
        error = refused(url)
        assert reason in error.reason
        assert "sslrootcert" in error.hint
