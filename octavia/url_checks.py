"""Checks of the URLs in settings and environment when they are loaded; each names what is wrong, and no secret."""

import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from octavia.urls import PORTS, parse, split_scheme

BROKER_NUMBERS: Final[Mapping[str, tuple[type[int] | type[float], float, float]]] = {
    "heartbeat": (int, 0, 65535),
    "channel_max": (int, 1, 65535),
    "frame_max": (int, 4096, 131_072),
    "connection_attempts": (int, 1, 1000),
    "retry_delay": (float, 0, 3600),
    "socket_timeout": (float, 0.1, 3600),
    "stack_timeout": (float, 0.1, 3600),
    "blocked_connection_timeout": (float, 0, 3600),
}
"""The parameters of a broker's URL that are numbers, pika's own: type, least and most; times are seconds."""

# RabbitMQ's own names, which its clients in other languages have too.
_BROKER_FILES: Final = ("cacertfile", "certfile", "keyfile")
_BROKER_TLS: Final = (*_BROKER_FILES, "password", "server_name_indication", "auth_mechanism")
_POSTGRES: Final = ("postgresql+psycopg", "postgresql", "postgres")
_SQLITE: Final = ("sqlite", "sqlite+pysqlite")
_SSL_MODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_POSTGRES_FILES: Final = ("sslrootcert", "sslcert", "sslkey", "sslcrl")
_BUCKETS: Final = ("s3", "s3a", "gs", "gcs")
_PROXIES: Final = ("http", "https", "socks5", "socks5h")
_DATABASES: Final = "write sqlite:///PATH or postgresql+psycopg://USER:PASSWORD@HOST/NAME"


def checked_database(text: str) -> str:
    """Check a database's URL; returns it as SQLAlchemy takes it, and a SQLite file by its absolute path.

    Raises:
      ValueError: As ``parse``.
    """
    scheme, after = split_scheme(text)
    if scheme in _SQLITE:
        path, mark, query = after.partition("?")
        if not path.startswith("/") or path == "/":
            raise ValueError("is not sqlite:///PATH, with three slashes before the path and a fourth if it is absolute")
        if path == "/:memory:":
            raise ValueError("keeps nothing: the processes of a service need a file, sqlite:///PATH")
        return f"sqlite:///{_absolute(path[1:])}{mark}{query}"
    url = parse(text)
    if url.scheme not in _POSTGRES:
        raise ValueError(f"is of no supported database: {_DATABASES}")
    _check_libpq(url.query)
    _check_files(url.query, _POSTGRES_FILES, besides=("system", ""))
    if url.query.get("sslmode", "prefer") not in _SSL_MODES:
        raise ValueError(f"has an sslmode that is none of {', '.join(_SSL_MODES)}")
    return f"postgresql+psycopg://{after}"


def checked_brokers(text: str) -> str:
    """Check RabbitMQ's URL, or several separated by ``;``; returns them without the spaces around them.

    Raises:
      ValueError: As ``parse``.
    """
    found = [part.strip() for part in text.split(";") if part.strip()]
    for part in found:
        _check_broker(part)
    if not found:
        raise ValueError("names no broker")
    return ";".join(found)


def checked_storage(text: str) -> str:
    """Check a storage's URL, or a path to a folder; returns its URL, and that of a folder by its absolute path.

    Raises:
      ValueError: As ``parse``.
    """
    scheme, after = split_scheme(text)
    if scheme in ("file", "local"):
        if not after or not re.fullmatch(r"[\w.~-]*", after.partition("/")[0]):
            raise ValueError("names a host or no folder: write file:///PATH")
        return f"file://{_absolute(after)}"
    if not scheme and text.startswith(("/", "~", "./", "../")):
        return f"file://{_absolute(text)}"
    url = parse(text)
    if url.scheme in _BUCKETS and (url.user is not None or url.port):
        raise ValueError("has a user or password in it; for S3 set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
    return text


def checked_web(text: str) -> str:
    """Check the base URL of a web service; returns it.

    Raises:
      ValueError: As ``parse``.
    """
    url = parse(text, ("http", "https"))
    if not url.host or url.query:
        raise ValueError("has a query, or no host")
    return text


def check_proxies(environ: Mapping[str, str]) -> None:
    """Check the proxies of an environment: ``HTTP_PROXY``, ``HTTPS_PROXY`` and ``ALL_PROXY``, in either case.

    Raises:
      ValueError: With the variable's name, as ``parse``.
    """
    for name, value in environ.items():
        if name.lower() not in ("http_proxy", "https_proxy", "all_proxy") or not value:
            continue
        try:
            parse(value if "://" in value else f"http://{value}", _PROXIES)
        except ValueError as error:
            raise ValueError(f"the proxy in {name} {error}") from None


def _check_broker(text: str) -> None:
    if "," in text.rpartition("@")[2].partition("?")[0]:
        raise ValueError("has a comma; separate several URLs by ;, each with its own amqp://, or write it as %2C")
    url = parse(text, PORTS)
    if url.user is not None and url.password is None:
        raise ValueError("has a user without a password: write amqp://USER:PASSWORD@HOST")
    if "/" in url.path[1:]:
        raise ValueError("has a virtual host of several parts; write a / in its name as %2F")
    if "ssl_options" in url.query:
        raise ValueError("has ssl_options; write ?cacertfile=PATH&certfile=PATH&keyfile=PATH")
    known = (*BROKER_NUMBERS, *_BROKER_TLS)
    if not url.query.keys() <= set(known):
        raise ValueError(f"has an unknown parameter after its ?; known are {', '.join(known)}")
    for name, (kind, least, most) in BROKER_NUMBERS.items():
        if not _in_range(url.query.get(name, str(most)), kind, least, most):
            number = "whole number" if kind is int else "number"
            raise ValueError(f"has a {name} that is no {number} from {least} to {most}")
    if url.scheme == "amqp" and not url.query.keys().isdisjoint(_BROKER_TLS):
        raise ValueError("has parameters for TLS, but begins with amqp://: write amqps://")
    if "keyfile" in url.query and "certfile" not in url.query:
        raise ValueError("has a keyfile without a certfile")
    if url.query.get("auth_mechanism", "external") != "external" or ("auth_mechanism" in url.query and url.user):
        raise ValueError("has an auth_mechanism that is not external, or a user beside it")
    _check_files(url.query, _BROKER_FILES)


def _in_range(text: str, kind: type[int] | type[float], least: float, most: float) -> bool:
    try:
        return least <= kind(text) <= most
    except ValueError:
        return False


def _check_libpq(query: Mapping[str, str]) -> None:
    try:
        from psycopg import ProgrammingError, conninfo
    except ImportError:  # said when the database is opened
        return
    try:
        conninfo.make_conninfo("", **query)
    except ProgrammingError:
        raise ValueError("has a parameter after its ? that PostgreSQL's client does not know") from None


def _check_files(query: Mapping[str, str], names: Collection[str], besides: Collection[str] = ()) -> None:
    for name in names:
        path = query.get(name)
        if path is None or path in besides:
            continue
        if not os.path.isabs(path) or not os.path.isfile(path) or not os.access(path, os.R_OK):
            raise ValueError(f"has a {name} that is not the absolute path of a file that can be read here")


def _absolute(path: str) -> Path:
    """The absolute path; ``~`` at its beginning is a home folder."""
    try:
        return Path(path).expanduser().absolute()
    except RuntimeError:
        raise ValueError("has a ~, but no home folder is known; write the whole path") from None
