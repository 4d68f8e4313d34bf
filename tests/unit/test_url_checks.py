"""URLs of settings: what is taken, what is refused and why, and that nothing secret is ever shown."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from octavia.url_checks import check_proxies, checked_brokers, checked_database, checked_storage, checked_web
from octavia.urls import shown

SECRET = "kestrel-4711-plover"
# One for each character that ends a part of a URL, or that shells, files of variables and people leave in it.
STRAY = [*"/?#@:;,&=%[]\\ \t\n<>\"'{}|^`", "//", "://", "@@", "%4", "%zz", "]:", "\u00a0", "é"]

TYPOS = [("://", ":/"), ("://", "//"), ("://", ""), ("@", "@@"), ("octavia:", ":")]


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("amqp://guest:guest@127.0.0.1:5672/", "amqp://guest:guest@127.0.0.1:5672/"),
        ("amqp://a;amqps://b/", "amqp://a;amqps://b/"),
        ("amqp://a ; amqp://b;\n", "amqp://a;amqp://b"),
        ("amqp://me:a,b!$&'()*+=%3B@host/vhost", "amqp://me:a,b!$&'()*+=%3B@host/vhost"),
        ("amqp://[::1]/?heartbeat=0&blocked_connection_timeout=2.5", None),
        ("amqps://h?server_name_indication=rabbit", None),
    ],
)
def test_brokers_are_all_taken_in_order(given: str, taken: str | None) -> None:
    assert checked_brokers(given) == (taken or given)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("amqp://a,amqp://b", "separate several URLs by ;"),
        ("amqp://a:5672,b:5672", "separate several URLs by ;"),
        ("amqp://a , amqp://b", "separate several URLs by ;"),
        ("amqp://a;b:5672", "begin with amqp:// or amqps://"),
        (" ; ", "names no broker"),
        ("rabbit:5672", "begin with amqp:// or amqps://"),
        ("http://rabbit:15672", "begin with amqp:// or amqps://"),
        ("amqp://me@rabbit", "without a password"),
        ("amqp://rabbit:http", "port"),
        ("amqp://rabbit:70000", "port"),
        ("amqp://rabbit/a/b", "%2F"),
        ("amqp://rabbit?hartbeat=5", "known are heartbeat"),
        ("amqp://rabbit?heartbeat=soon", "heartbeat that is no whole number from 0 to 65535"),
        ("amqp://rabbit?stack_timeout=nan", "stack_timeout that is no number"),
        ("amqp://rabbit?heartbeat", "NAME=VALUE"),
        ("amqp://rabbit?cacertfile=/ca.pem", "write amqps://"),
        ("amqps://rabbit?ssl_options={'ca_certs':'/ca.pem'}", "cacertfile=PATH"),
        ("amqps://rabbit?cacertfile=/missing/ca.pem", "cacertfile that is not the absolute path"),
        ("amqps://rabbit?keyfile=/etc/passwd", "without a certfile"),
        ("amqps://me:secret@rabbit?auth_mechanism=external", "a user beside it"),
        ("amqps://rabbit?auth_mechanism=plain", "not external"),
    ],
)
def test_a_broker_that_cannot_be_meant_is_refused_with_the_reason(given: str, reason: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        checked_brokers(given)
    assert reason in str(refused.value)


def test_files_of_certificates_are_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a file, then its absolute path is taken, and a relative one is not: processes have folders of their own
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ca.pem").touch()
    assert checked_brokers(f"amqps://rabbit?cacertfile={tmp_path}/ca.pem")
    assert checked_database(f"postgresql+psycopg://db/octavia?sslmode=verify-full&sslrootcert={tmp_path}/ca.pem")
    with pytest.raises(ValueError, match="absolute path"):
        checked_brokers("amqps://rabbit?cacertfile=ca.pem")
    with pytest.raises(ValueError, match="sslrootcert that is not the absolute path"):
        checked_database("postgresql+psycopg://db/octavia?sslrootcert=ca.pem")


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("sqlite:////srv/octavia.db", "sqlite:////srv/octavia.db"),
        ("sqlite:///~/my files/octavia.db", "sqlite:////home/ann/my files/octavia.db"),
        ("sqlite:///octavia.db?timeout=5", "sqlite:////folder/octavia.db?timeout=5"),
        ("postgresql+psycopg://me:secret@db/octavia", "postgresql+psycopg://me:secret@db/octavia"),
        ("postgresql://me:secret@db/octavia", "postgresql+psycopg://me:secret@db/octavia"),
        ("postgres://db/octavia?sslmode=require", "postgresql+psycopg://db/octavia?sslmode=require"),
        ("postgresql:///octavia?host=/run/postgresql", "postgresql+psycopg:///octavia?host=/run/postgresql"),
        ("postgresql://db/octavia?sslrootcert=system", "postgresql+psycopg://db/octavia?sslrootcert=system"),
    ],
)
def test_a_database_is_taken_as_sqlalchemy_needs_it(given: str, taken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    monkeypatch.setattr(Path, "absolute", lambda path: Path("/folder") / path)
    assert checked_database(given) == taken


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("mysql://db/octavia", "postgresql+psycopg://USER"),
        ("sqlite://octavia.db", "sqlite:///PATH"),
        ("sqlite://", "sqlite:///PATH"),
        ("sqlite:///:memory:", "need a file"),
        ("postgresql://db:http/octavia", "port"),
        ("postgresql://db/octavia?sslmode=on", "verify-full"),
        ("postgresql://db/octavia?ssl_mode=require", "does not know"),
    ],
)
def test_a_database_that_cannot_be_meant_is_refused_with_the_reason(given: str, reason: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        checked_database(given)
    assert reason in str(refused.value)


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("/srv/octavia", "file:///srv/octavia"),
        ("~/octavia", "file:///home/ann/octavia"),
        ("file://~/octavia", "file:///home/ann/octavia"),
        ("file:///srv/a folder", "file:///srv/a folder"),
        ("s3://bucket/a@b", "s3://bucket/a@b"),
        ("memory://", "memory://"),
    ],
)
def test_a_storage_is_a_url_or_a_folder(given: str, taken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    assert checked_storage(given) == taken


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("octavia", "scheme"),
        ("file://", "file:///PATH"),
        ("file://me:secret@host/x", "file:///PATH"),
        ("s3://AKIA:secret@bucket", "AWS_ACCESS_KEY_ID"),
    ],
)
def test_a_storage_that_cannot_be_meant_is_refused_with_the_reason(given: str, reason: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        checked_storage(given)
    assert reason in str(refused.value)


def test_proxies_are_checked_by_their_variables() -> None:
    check_proxies({"HTTP_PROXY": "proxy:3128", "https_proxy": "http://me:secret@proxy", "ALL_PROXY": "", "PATH": ":"})
    with pytest.raises(ValueError, match=r"^the proxy in https_proxy has a #, or an @ too many"):
        check_proxies({"https_proxy": "http://me:se/cret@proxy:3128"})


@pytest.mark.parametrize(
    ("check", "around"),
    [
        (checked_brokers, "amqp://octavia:{}@rabbit.example:5672/vhost"),
        (checked_brokers, "amqps://octavia:{}@rabbit.example?heartbeat=5"),
        (checked_database, "postgresql+psycopg://octavia:{}@db.example:5432/octavia"),
        (checked_storage, "sftp://octavia:{}@files.example:22/octavia"),
        (checked_web, "https://octavia:{}@hub.example:8443/mirror"),
    ],
)
def test_nothing_of_a_secret_is_shown(check: Callable[[str], str], around: str) -> None:
    # Given URLs of every shape that a password with strange characters gives them, some cut off, some with less
    chance = random.Random(7)
    for _ in range(3000):
        secret = list(SECRET if chance.random() < 0.7 else "4711471147114711")
        for _ in range(chance.randrange(4)):
            secret.insert(chance.randrange(len(secret) + 1), chance.choice(STRAY))
        url = around.format("".join(secret))
        if chance.random() < 0.3:
            url = url.replace(*chance.choice(TYPOS), 1)

        # When one is checked and shown, or refused, or shown unchecked
        try:
            told = shown(check(url))
        except ValueError as error:
            told = str(error)

        told += shown(url)

        # Then no four characters of the password are in it
        leaked = [SECRET[at : at + 4] for at in range(len(SECRET) - 3) if SECRET[at : at + 4] in told]
        assert not leaked, (url, told)
        assert "4711" not in told.replace("4096", ""), (url, told)
