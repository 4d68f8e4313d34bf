"""Connections to RabbitMQ: their parameters, TLS included, and what it means when one cannot be opened."""

import re
import ssl
from typing import Final, NamedTuple
from urllib.parse import unquote

import pika
import pika.exceptions
from pika.adapters.utils.connection_workflow import AMQPConnectorException

from octavia.errors import InputError
from octavia.url_checks import BROKER_NUMBERS
from octavia.urls import Url, parse

# Seconds. A vanished peer is noticed within a minute. A broker that takes no messages, for want of memory or disk, is
# given up well before the lease on those messages ends.
_DEFAULTS: Final = {
    "heartbeat": 30,
    "blocked_connection_timeout": 5,
    "socket_timeout": 10,
    "stack_timeout": 10,
}

# OpenSSL's numbers for a certificate's faults (X509_V_ERR_…).
_EXPIRED: Final = (9, 10)
_UNKNOWN_ISSUER: Final = (2, 18, 19, 20, 21)
_OTHER_NAME: Final = (62, 64)

# A refusal of a client without its certificate may get lost, as the client has sent something already.
_CLOSED_AT_ONCE: Final = (
    "RabbitMQ closed the connection at once, or something else answers there. If that port is for TLS, write amqps:// "
    "in OCTAVIA_BROKER_URL; if RabbitMQ asks for a certificate, add ?certfile=PATH&keyfile=PATH."
)

LOST = (pika.exceptions.AMQPError, AMQPConnectorException, OSError)
"""The exceptions of pika. A peer that accepts and stays silent is an AMQPConnectorException, which is no AMQPError."""


class Failure(NamedTuple):
    """The reason that a connection failed, and the remedy, empty if that is not known."""

    reason: str
    remedy: str


def connection_parameters(url: str) -> pika.ConnectionParameters:
    """The parameters of connections to RabbitMQ at a URL of the settings, with time limits unless it names its own.

    Raises:
      InputError: ``invalid_setting``: a file for TLS holds no certificate or key, or a key needs another password.
    """
    parts = parse(url)
    given = {name: kind(parts.query[name]) for name, (kind, _, _) in BROKER_NUMBERS.items() if name in parts.query}
    login = {}
    if parts.user is not None:
        login["credentials"] = pika.PlainCredentials(parts.user, parts.password)
    elif "auth_mechanism" in parts.query:
        login["credentials"] = pika.credentials.ExternalCredentials()
    return pika.ConnectionParameters(
        host=parts.host or "localhost",
        port=parts.port,
        virtual_host=unquote(parts.path[1:]) or "/",
        ssl_options=_tls(parts) if parts.scheme == "amqps" else None,
        **login,
        **{**_DEFAULTS, **given},
    )


def failure_of(error: BaseException) -> Failure:
    """The innermost reason in an error of pika, which wraps it several times and says little outside."""
    cause = error
    while (inner := _inner(cause)) is not None:
        cause = inner
    reason = str(cause) or repr(cause)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return Failure(cause.verify_message or reason, _certificate_remedy(cause.verify_code))
    # pika has only its text, if RabbitMQ refuses after the handshake.
    if said := re.search(r"\[SSL: \w+\][^(']*", reason):
        return Failure(said[0].strip(), _handshake_remedy(said[0]))
    if isinstance(cause, pika.exceptions.IncompatibleProtocolError):
        return Failure(reason, _CLOSED_AT_ONCE)
    return Failure(reason, "")


def _tls(url: Url) -> pika.SSLOptions:
    query = url.query
    try:
        context = ssl.create_default_context(cafile=query.get("cacertfile"))
        if "certfile" in query:
            # Without a password OpenSSL would ask for one on the terminal.
            context.load_cert_chain(query["certfile"], query.get("keyfile"), query.get("password", ""))
    except OSError as error:
        raise InputError(
            f"The files for TLS in OCTAVIA_BROKER_URL cannot be used: {error.strerror or error}.",
            code="invalid_setting",
            hint="cacertfile, certfile and keyfile are PEM files; password is that of an encrypted keyfile.",
        ) from error
    return pika.SSLOptions(context, query.get("server_name_indication", url.host or "localhost"))


def _inner(error: BaseException) -> BaseException | None:
    found = getattr(error, "exception", None) or (error.args[0] if error.args else None)
    return found if isinstance(found, BaseException) else None


def _certificate_remedy(code: int) -> str:
    if code in _OTHER_NAME:
        return (
            "Write a name from RabbitMQ's certificate as the host in OCTAVIA_BROKER_URL, or add "
            "?server_name_indication=NAME to it."
        )
    if code in _UNKNOWN_ISSUER:
        return "Add ?cacertfile=PATH to OCTAVIA_BROKER_URL, with the certificate of the authority that signed it."
    if code in _EXPIRED:
        return "Renew RabbitMQ's certificate, or set this machine's clock."
    return "Check RabbitMQ's certificate."


def _handshake_remedy(reason: str) -> str:
    if "WRONG_VERSION" in reason or "record layer" in reason:
        return "That port does not speak TLS: use RabbitMQ's port for it, usually 5671, or write amqp://."
    if "ALERT" in reason.upper():
        return (
            "RabbitMQ refuses this client's certificate, or wants one: add ?certfile=PATH&keyfile=PATH to "
            "OCTAVIA_BROKER_URL, signed by an authority that RabbitMQ trusts."
        )
    return "Check which versions of TLS RabbitMQ accepts."
