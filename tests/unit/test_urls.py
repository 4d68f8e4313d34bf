"""URLs, as they are read and shown."""

import pytest

from octavia.urls import parse, shown, without_logins


def test_a_url_is_read_into_its_parts() -> None:
    url = parse("AMQPS://me:p%40ss%2Fword@[fd00::1]:5673/a%2Fb?heartbeat=5&x=y%20z")
    assert (url.scheme, url.user, url.password, url.host, url.port) == ("amqps", "me", "p@ss/word", "fd00::1", 5673)
    assert (url.path, url.query) == ("/a%2Fb", {"heartbeat": "5", "x": "y z"})
    assert "p@ss" not in repr(url)


@pytest.mark.parametrize(("url", "port"), [("amqp://h", 5672), ("amqps://h/", 5671), ("https://h", None)])
def test_a_port_that_is_not_given_is_the_schemes(url: str, port: int | None) -> None:
    assert parse(url).port == port


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("amqp://me:secret@host:1/x", "amqp://host:1/x"),
        ("https://example.com/@someone/a.wav?signature=secret", "https://example.com/@someone/a.wav?…"),
        ("https://example.com/a.wav", "https://example.com/a.wav"),
        ("https://example.com/a.wav#secret", "https://example.com/a.wav"),
        ("postgresql+psycopg:///octavia?password=secret", "postgresql+psycopg:///octavia?…"),
        ("sqlite:////srv/a@b.db", "sqlite:////srv/a@b.db"),
        ("amqp://me:sec/ret@host", "amqp://…"),
        ("amqp://me:12/34@host", "amqp://…"),
        ("me:secret@host", "…"),
    ],
)
def test_a_url_is_shown_without_its_secrets(url: str, told: str) -> None:
    assert shown(url) == told


def test_a_text_by_others_is_shown_without_logins() -> None:
    assert without_logins("no route to http://me:secret@proxy:1, sorry") == "no route to http://…@proxy:1, sorry"
    assert without_logins("mail me@example.com") == "mail me@example.com"
    assert without_logins("{'url': 'amqp://me:it's@home/x'} \"me@x\"") == "{'url': 'amqp://…@home/x'} \"me@x\""
