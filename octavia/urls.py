"""URLs that operators give: read by one grammar, and shown without what may be secret in them.

No error here repeats a part of the URL that it is about: in a malformed URL the password may be anywhere.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv6Address
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
_LOGIN: Final = re.compile(r'(?<![^\s"])((?:(?!://)[^\s"])*+://)[^\s"]*@')
_SHOWN: Final = re.compile(
    r"(?P<where>[a-z][a-z0-9+.-]*://)(?P<login>[^/?#]*@)?"
    r"(?P<host>[^/?#@:\[\]]*|\[[0-9a-f:.]+\])(?P<port>:\d*)?(?P<path>/[^?#]*)?(?P<rest>[?#].*)?",
    re.ASCII | re.IGNORECASE | re.DOTALL,
)

_ESCAPES: Final = "; in a user or password, write / as %2F, ? as %3F, # as %23, @ as %40, ; as %3B and % as %25"


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
    if re.search(r"[\s\"\\\x00-\x1f\x7f]", text):
        raise ValueError(f"has spaces, quotes, control characters or backslashes in it{_ESCAPES}")
    scheme, after = split_scheme(text)
    if not scheme or (schemes and scheme not in schemes):
        raise ValueError(f"does not begin with {_either(schemes) if schemes else 'a scheme and ://'}")
    parts = _PARTS.fullmatch(after)
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


def split_scheme(text: str) -> tuple[str, str]:
    """The scheme of a URL, in small letters, and what comes after ``://``; without a scheme "" and all of it."""
    begin = _SCHEME.match(text)
    return (begin[1].lower(), text[begin.end() :]) if begin else ("", text)


def shown(url: str) -> str:
    """Return a URL for messages and logs: without user, password, query and fragment. It need not be well-formed."""
    parts = _SHOWN.fullmatch(url)
    if parts is None or ("@" in url[parts.end("host") :] and (parts["login"] or parts["port"])):
        return f"{scheme[0]}…" if (scheme := _SCHEME.match(url)) else "…"
    more = "?…" if (parts["rest"] or "").startswith("?") else ""
    return "".join((parts["where"], parts["host"], parts["port"] or "", parts["path"] or "", more))


def without_logins(text: str) -> str:
    """Remove user and password from each URL in a text by others, such as a library's error."""
    return _LOGIN.sub(r"\1…@", text)


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


def _either(schemes: Collection[str]) -> str:
    *others, last = (f"{scheme}://" for scheme in schemes)
    return f"{', '.join(others)} or {last}" if others else last
