"""Certificates made for one test, and servers that use them."""

import os
import shutil
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import trustme

from tests.support.postgres import PrivatePostgres


@dataclass(frozen=True)
class Identity:
    """A certificate and its key, as files."""

    certificate: Path
    key: Path


class Authority:
    """A private authority, which nobody trusts who is not told to."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._authority = trustme.CA()
        self.certificate = folder / "ca.pem"
        self._authority.cert_pem.write_to_path(str(self.certificate))

    def issue(self, name: str) -> Identity:
        """A certificate for one name, which a client may use too."""
        issued = self._authority.issue_cert(name)
        identity = Identity(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        issued.cert_chain_pems[0].write_to_path(str(identity.certificate))
        issued.private_key_pem.write_to_path(str(identity.key))
        identity.key.chmod(0o600)  # libpq insists
        return identity

    def server(self, name: str) -> ssl.SSLContext:
        """A server's side of TLS, under one name."""
        identity = self.issue(name)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(identity.certificate, identity.key)
        return context


@contextmanager
def listening(answer: Callable[[socket.socket], object]) -> Iterator[int]:
    """A server that treats each connection so, and then closes it; gives its port."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection = server.accept()[0]
            except OSError:
                return
            with connection, suppress(OSError):
                answer(connection)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield server.getsockname()[1]
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()


def secure(server: PrivatePostgres, authority: Authority, name: str) -> None:
    """Have PostgreSQL take connections only over TLS, under that name, from clients with a certificate.

    Its own database ``postgres`` stays open to the superuser.
    """
    with server.connect("postgres") as connection:
        (folder,) = connection.execute("SHOW data_directory").fetchone() or ("",)
    data, identity = Path(folder), authority.issue(name)
    for source in (authority.certificate, identity.certificate, identity.key):
        copy = data / source.name
        shutil.copy(source, copy)
        copy.chmod(0o600)
        if os.geteuid() == 0:
            shutil.chown(copy, "postgres", "postgres")
    rules = (
        "host postgres all 127.0.0.1/32 trust",
        "hostssl all all 127.0.0.1/32 trust clientcert=verify-ca",
    )
    (data / "pg_hba.conf").write_text("\n".join(rules) + "\n")
    settings = {
        "ssl_ca_file": authority.certificate.name,
        "ssl_cert_file": identity.certificate.name,
        "ssl_key_file": identity.key.name,
        "ssl": "on",
    }
    for setting, value in settings.items():
        server.execute(f"ALTER SYSTEM SET {setting} = '{value}'")
    server.execute("SELECT pg_reload_conf()")
