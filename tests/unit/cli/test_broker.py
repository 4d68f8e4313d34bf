import socket
from collections.abc import Iterator

import pytest

from octavia.cli.broker import Place, choose
from octavia.errors import Unavailable
from octavia.settings import Settings


@pytest.fixture
def port() -> Iterator[int]:
    """One where nothing listens, nor will as long as the test runs: it is taken."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def test_a_private_node_is_for_where_nothing_listens(port: int) -> None:
    # Given a local URL where nothing answers, when a place is chosen
    place = choose(Settings(broker_url=f"amqp://guest:guest@127.0.0.1:{port}/"))

    # Then it is ours to start there, console included
    assert place.private
    assert place.port == port
    assert place.console_port != port
    assert place.console == f"http://127.0.0.1:{place.console_port}"


@pytest.mark.parametrize(
    "url",
    [
        "amqp://guest:guest@127.0.0.1:{}/elsewhere",
        "amqp://someone:secret@127.0.0.1:{}/",
        "amqps://guest:guest@127.0.0.1:{}/",
        "amqp://guest:guest@127.0.0.1:{};amqp://guest:guest@127.0.0.1:{}",
    ],
)
def test_a_node_is_not_started_where_ours_would_be_of_no_use(url: str, port: int) -> None:
    with pytest.raises(Unavailable) as refused:
        choose(Settings(broker_url=url.format(port, port)))
    assert refused.value.code == "broker_unavailable"
    assert "secret" not in refused.value.message


def test_a_port_that_something_else_has_is_left_alone() -> None:
    # Given a server that is not RabbitMQ
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        # Then no node is started in its place
        with pytest.raises(Unavailable, match="does not answer"):
            choose(Settings(broker_url=f"amqp://guest:guest@127.0.0.1:{port}/"))


def test_over_tls_the_usual_ports_are_others() -> None:
    place = Place(["amqps://me:secret@rabbit/"], private=False, console_port=15671)
    assert (place.port, place.console) == (5671, "https://rabbit:15671")


def test_passwords_are_not_shown() -> None:
    place = Place(["amqp://me:secret@a:1/x", "amqp://me:secret@b"], private=False, console_port=None)
    assert place.shown == "amqp://a:1/x, amqp://b"
    assert place.console == ""
