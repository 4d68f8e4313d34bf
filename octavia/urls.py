"""URLs that operators give: read by one grammar, checked when the settings are loaded, shown without secrets.

No error here repeats a part of the URL that it is about: in a malformed URL the password may be anywhere.
"""

import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, unquote

PORTS: Final = {"amqp": 5672, "amqps": 5671}
"""The ports of RabbitMQ that a URL without one means, by scheme."""

_SCHEME: Final = re.compile(r"([a-z][a-z0-9+.-]*)://", re.ASCII | re.IGNORECASE)
_PARTS: Final = re.compile(
    r"(?P<authority>[^/?#]*)(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?(?P<fragment>#.*)?", re.DOTALL
)
_HOST: Final = re.compile(r"(?:\[(?P<v6>[0-9a-f:.]+)\]|(?P<name>[\w.,-]*))(?::(?P<port>[^:]*))?", re.IGNORECASE)
_BAD_ESCAPE: Final = re.compile(r"%(?![0-9a-f]{2})", re.ASCII | re.IGNORECASE)
_LOGIN: Final = re.compile(r"(?<=://)[^\s\"'<>]*@")
_SHOWN: Final = re.compile(
    r"(?P<where>[a-z][a-z0-9+.-]*://)(?P<login>[^/?#]*@)?"
    r"(?P<host>[^/?#@:\[\]]*|\[[0-9a-f:.]+\])(?P<port>:\d*)?(?P<path>/[^?#]*)?(?P<rest>[?#].*)?",
    re.ASCII | re.IGNORECASE | re.DOTALL,
)

_DATABASES: Final = "write sqlite:///PATH or postgresql+psycopg://USER:PASSWORD@HOST/NAME"
_ESCAPES: Final = "; in a user or password, write / as %2F, ? as %3F, # as %23, @ as %40, ; as %3B and % as %25"

_POSTGRES: Final = ("postgresql+psycopg", "postgresql", "postgres")
_SQLITE: Final = ("sqlite", "sqlite+pysqlite")
_SSL_MODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_POSTGRES_FILES: Final = ("sslrootcert", "sslcert", "sslkey", "sslcrl")
_BUCKETS: Final = ("s3", "s3a", "gs", "gcs")
_PROXIES: Final = ("http", "https", "socks5", "socks5h")


BROKER_FILES: Final = ("cacertfile", "certfile", "keyfile")
"""The parameters of a broker's URL that name a file, by RabbitMQ's own names for them."""

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

_BROKER_TLS: Final = (*BROKER_FILES, "password", "server_name_indication")


@dataclass(frozen=True, slots=True)
class Url:
    """The parts of a URL, decoded except for the path.

    Attributes:
      port: The scheme's own if the URL has none and is RabbitMQ's.
    """

    scheme: str
    user: str | None
    password: str | None = field(repr=False)
    host: str
    port: int | None
    path: str = field(repr=False)
    query: Mapping[str, str] = field(repr=False)


def parse(text: str, schemes: Collection[str] = ()) -> Url:
    """Read a URL.

    Parameters:
      schemes: Those that it may have; none: any.

    Raises:
      ValueError: The reason that it is none, in words that follow "it", and with nothing of the URL.
    """
    if re.search(r"[\s\\\x00-\x1f\x7f]", text):
        raise ValueError(f"has spaces, control characters or backslashes in it{_ESCAPES}")
    begin = _SCHEME.match(text)
    if not begin or (schemes and begin[1].lower() not in schemes):
        raise ValueError(f"does not begin with {_either(schemes) if schemes else 'a scheme and ://'}")
    scheme = begin[1].lower()
    parts = _PARTS.fullmatch(text, begin.end())
    assert parts is not None
    login, at, place = parts["authority"].rpartition("@")
    rest = parts["path"] + (parts["query"] or "")
    if parts["fragment"] is not None or "@" in login or ("@" in rest and (at or ":" in place)):
        raise ValueError(f"has a #, or an @ too many{_ESCAPES}")
    if _BAD_ESCAPE.search(login + rest):
        raise ValueError(f"has a % that begins no escape{_ESCAPES}")
    user, colon, password = login.partition(":")
    host, port = _host_and_port(place)
    return Url(
        scheme,
        unquote(user) if at else None,
        unquote(password) if colon else None,
        host,
        port or PORTS.get(scheme),
        parts["path"],
        _query(parts["query"] or ""),
    )


def shown(url: str) -> str:
    """Return a URL for messages and logs: without user, password, query and fragment. It need not be well-formed."""
    parts = _SHOWN.fullmatch(url)
    if parts is None or ("@" in url[parts.end("host") :] and (parts["login"] or parts["port"])):
        return f"{scheme[0]}…" if (scheme := _SCHEME.match(url)) else "…"
    more = "?…" if (parts["rest"] or "").startswith("?") else ""
    return "".join((parts["where"], parts["host"], parts["port"] or "", parts["path"] or "", more))


def without_logins(text: str) -> str:
    """Remove user and password from each URL in a text by others, such as a library's error."""
    return _LOGIN.sub("…@", text)


def checked_database(text: str) -> str:
    """Check a database's URL; returns it as SQLAlchemy takes it, and a SQLite file by its absolute path.

    Raises:
      ValueError: As ``parse``.
    """
    begin = _SCHEME.match(text)
    if begin and begin[1].lower() in _SQLITE:
        path, mark, query = text[begin.end() :].partition("?")
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
    return f"postgresql+psycopg://{text.partition('://')[2]}"


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
    begin = _SCHEME.match(text)
    if begin and begin[1].lower() in ("file", "local"):
        path = text[begin.end() :]
        if not path or not re.fullmatch(r"[\w.~-]*", path.partition("/")[0]):
            raise ValueError("names a host or no folder: write file:///PATH")
        return f"file://{_absolute(path)}"
    if not begin and text.startswith(("/", "~", "./", "../")):
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
    _check_files(url.query, BROKER_FILES)


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


def _host_and_port(place: str) -> tuple[str, int | None]:
    found = _HOST.fullmatch(place)
    if found is None:
        raise ValueError(f"has no valid host{_ESCAPES}")
    if found["v6"]:
        try:
            IPv6Address(found["v6"])
        except ValueError:
            raise ValueError("has no valid address between [ and ]") from None
    port = found["port"]
    if port and not (port.isascii() and port.isdecimal() and 0 < int(port) <= 65535):
        raise ValueError(f"has no valid port after its host{_ESCAPES}")
    return found["v6"] or found["name"], int(port) if port else None


def _query(text: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text))
    except ValueError:
        raise ValueError(f"has a part after its ? that is not NAME=VALUE{_ESCAPES}") from None
    return dict(pairs)


def _absolute(path: str) -> Path:
    """The absolute path; ``~`` at its beginning is a home folder."""
    try:
        return Path(path).expanduser().absolute()
    except RuntimeError:
        raise ValueError("has a ~, but no home folder is known; write the whole path") from None


def _either(schemes: Collection[str]) -> str:
    *others, last = (f"{scheme}://" for scheme in schemes)
    return f"{', '.join(others)} or {last}" if others else last
