"""Parameters of connections to RabbitMQ, and what a failed one means, against servers that only shake hands."""

import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import pika
import pika.exceptions
import pytest

from octavia.brokers.alarm import AlarmWatch
from octavia.brokers.connections import connection_parameters, failure_of
from octavia.brokers.rabbit import RabbitBroker
from octavia.cli.broker import connection_error
from octavia.errors import InputError, Unavailable
from octavia.settings import Settings
from tests.support.tls import Authority, listening


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def test_a_url_gives_all_parameters() -> None:
    given = connection_parameters("amqp://me:p%40ss@rabbit:5673/a%2Fb?heartbeat=5&retry_delay=0.5")
    assert (given.host, given.port, given.virtual_host) == ("rabbit", 5673, "a/b")
    assert (given.credentials.username, given.credentials.password) == ("me", "p@ss")
    assert (given.heartbeat, given.retry_delay, given.socket_timeout, given.ssl_options) == (5, 0.5, 10, None)


def test_tls_has_its_own_port_and_checks_the_name(authority: Authority) -> None:
    given = connection_parameters(f"amqps://rabbit?cacertfile={authority.certificate}")
    assert (given.port, given.ssl_options.server_hostname) == (5671, "rabbit")
    assert given.ssl_options.context.check_hostname
    assert given.ssl_options.context.verify_mode is ssl.CERT_REQUIRED
    (trusted,) = given.ssl_options.context.get_ca_certs()
    assert "trustme" in str(trusted["subject"])


def test_a_certificate_may_be_the_login(authority: Authority) -> None:
    client = authority.issue("octavia.example")
    url = f"amqps://rabbit?certfile={client.certificate}&keyfile={client.key}&auth_mechanism=external"
    given = connection_parameters(Settings(broker_url=url).brokers[0])
    assert isinstance(given.credentials, pika.credentials.ExternalCredentials)


def test_the_name_to_check_may_be_another() -> None:
    given = connection_parameters("amqps://10.0.0.1?server_name_indication=rabbit")
    assert (given.host, given.ssl_options.server_hostname) == ("10.0.0.1", "rabbit")


def test_each_connection_over_tls_has_parameters_of_its_own(authority: Authority) -> None:
    # Given a broker over TLS; pika takes TLS out of the parameters for a moment whenever it connects
    broker = RabbitBroker(Settings(broker_url=f"amqps://rabbit?cacertfile={authority.certificate}"), [])
    (one,), (two,) = broker.parameters, broker.parameters
    # When one thread does that
    one.ssl_options = None
    # Then another one's connection still has TLS
    assert two.ssl_options is not None
    # And the watch for alarms can be made, with a limit of its own
    AlarmWatch(broker)
    assert broker.parameters[0].blocked_connection_timeout == 5


@pytest.mark.parametrize("name", ["cacertfile", "certfile"])
def test_a_file_that_holds_no_certificate_is_named(name: str, tmp_path: Path) -> None:
    # Given a file with something else in it
    file = tmp_path / "wrong.pem"
    file.write_text("no certificate")
    # Then the error is one that people understand, with a remedy
    with pytest.raises(InputError, match="files for TLS in OCTAVIA_BROKER_URL") as refused:
        connection_parameters(f"amqps://rabbit?{name}={file}")
    assert refused.value.code == "invalid_setting"
    assert "cacertfile" in refused.value.hint


def refusal(url: str) -> tuple[str, str]:
    """The reason and the remedy, which the command line and the service give alike."""
    failure = connection_error(url)
    assert failure is not None
    with pytest.raises(Unavailable) as raised:
        RabbitBroker(Settings(broker_url=url), []).check()
    assert raised.value.reason == failure.reason
    assert failure.remedy in raised.value.hint
    return failure


def shaking_hands(context: ssl.SSLContext) -> Callable[..., object]:
    def shake(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secured:
            secured.recv(8)

    return shake


def test_a_certificate_of_another_name_is_refused_with_the_remedy(authority: Authority) -> None:
    with listening(shaking_hands(authority.server("rabbit.example"))) as port:
        reason, remedy = refusal(f"amqps://localhost:{port}?cacertfile={authority.certificate}")
        assert "certificate is not valid for 'localhost'" in reason
        assert "server_name_indication=NAME" in remedy
        # An address is no name either
        reason, remedy = refusal(f"amqps://127.0.0.1:{port}?cacertfile={authority.certificate}")
        assert "certificate is not valid for '127.0.0.1'" in reason
        assert "server_name_indication=NAME" in remedy


def test_an_unknown_authority_is_refused_with_the_remedy(authority: Authority) -> None:
    with listening(shaking_hands(authority.server("localhost"))) as port:
        reason, remedy = refusal(f"amqps://localhost:{port}")
    assert "certificate" in reason
    assert "?cacertfile=PATH" in remedy


def test_an_authority_may_be_trusted_by_the_environment(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a private authority that the environment names, as for every other client
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
    with listening(shaking_hands(authority.server("localhost"))) as port:
        failure = connection_error(f"amqps://localhost:{port}")
    # Then the certificate passes; this server only never speaks AMQP
    assert failure is not None
    assert "certificate" not in failure.reason
    assert "cacertfile" not in failure.remedy


@pytest.mark.parametrize(
    "said",
    [
        "[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert certificate required",
        "[SSL: SSLV3_ALERT_HANDSHAKE_FAILURE] sslv3 alert handshake failure",
        "[SSL: TLSV1_ALERT_UNKNOWN_CA] tlsv1 alert unknown ca",
    ],
)
def test_a_client_without_its_certificate_reads_how_to_give_it(said: str) -> None:
    # Given RabbitMQ's refusal before the end of the handshake, and after it, as pika raises that
    before = pika.exceptions.AMQPConnectionError(ssl.SSLError(1, f"{said} (_ssl.c:1006)"))
    wrapped = f"StreamLostError: (\"Stream connection lost: SSLError(1, '{said} (_ssl.c:2580)')\",)"
    after = pika.exceptions.AMQPConnectionError(pika.exceptions.IncompatibleProtocolError(wrapped))
    # Then both are understood
    for error in (before, after):
        failure = failure_of(error)
        assert failure.reason == said
        assert "?certfile=PATH&keyfile=PATH" in failure.remedy


@pytest.mark.parametrize(
    "said",
    ["SSLEOFError(8, 'EOF occurred in violation of protocol (_ssl.c:2427)')", "ConnectionResetError(104, 'reset')"],
)
def test_a_connection_that_is_closed_at_once_has_its_usual_causes_named(said: str) -> None:
    # Given RabbitMQ's refusal, overtaken by what the client had sent
    wrapped = pika.exceptions.IncompatibleProtocolError(f'StreamLostError: ("Stream connection lost: {said}",)')
    failure = failure_of(pika.exceptions.AMQPConnectionError(wrapped))
    # Then what is most likely missing is named
    assert said in failure.reason
    assert "?certfile=PATH&keyfile=PATH" in failure.remedy
    assert "amqps://" in failure.remedy


def test_a_port_without_tls_is_recognised(authority: Authority) -> None:
    # Given RabbitMQ's answer to what is no AMQP
    with listening(lambda connection: (connection.recv(512), connection.sendall(b"AMQP\x00\x00\x09\x01"))) as port:
        _, remedy = refusal(f"amqps://localhost:{port}?cacertfile={authority.certificate}")
    assert "does not speak TLS" in remedy
