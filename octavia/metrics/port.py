"""A port of its own on which a process shows its metrics to Prometheus."""

import ipaddress
import socket
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from socketserver import TCPServer, ThreadingMixIn
from typing import Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import structlog
from prometheus_client import CollectorRegistry, make_wsgi_app

from octavia.background import Turns, keep_on
from octavia.errors import Unavailable
from octavia.metrics.formats import acceptable

_AT_ONCE: Final = 8
_SECONDS: Final = 10.0
_CUT_WITHIN: Final = 1.0
_LONGEST_PAUSE: Final = 30.0

log = structlog.get_logger()


class Port:
    """Answers every GET with this process's metrics, in the format that the client asks for.

    At most eight clients are served at once, for ten seconds each; a ninth ends the connection of the one that has been
    there for longest, as a scrape takes a few hundredths of a second. A port that is taken is tried again and again;
    the process's own work goes on without it.

    Parameters:
      host: Address to listen on. On loopback, requests for any host name but ``localhost`` are refused: a web page
        could send those from a browser on this machine.
    """

    def __init__(self, host: str, port: int, registry: CollectorRegistry) -> None:
        self._host = host
        self._port = port
        self._registry = registry
        self._turns = Turns("metrics_port", longest=_LONGEST_PAUSE)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="metrics-port", daemon=True)

    def start(self) -> None:
        """Start to listen, in a thread, unless that has begun."""
        if not self._thread.ident:
            self._thread.start()

    def stop(self) -> None:
        """Stop to listen, within half a second."""
        self._stopping.set()

    def _run(self) -> None:
        keep_on(self._turns, self._serve, ended=self._stopping.is_set, wait=self._stopping.wait)

    def _serve(self) -> None:
        try:
            server = _Server(self._host, self._port, self._registry)
        except OSError as error:
            raise Unavailable(
                f"The port for metrics, {self._host}:{self._port}, cannot be used: {error.strerror}.",
                code="metrics_port_unusable",
                hint="Give each service an OCTAVIA_METRICS_PORT of its own, at an address of this machine.",
            ) from error
        log.info("metrics_shown", host=self._host, port=self._port)
        with server:
            while not self._stopping.is_set():
                server.handle_request()
                server.cut_slow()


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: Prometheus asks every few seconds."""


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128
    timeout = 0.5

    def __init__(self, host: str, port: int, registry: CollectorRegistry) -> None:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        self.address_family = found[0]
        self._open: dict[Any, float] = {}
        self._changed = threading.Condition()
        super().__init__(found[4][:2], _Quiet)  # type: ignore[arg-type]
        self.set_app(_for_hosts(make_wsgi_app(registry), loopback=ipaddress.ip_address(found[4][0]).is_loopback))

    def server_bind(self) -> None:
        """Bind, without asking the name service for this machine's name, which can take seconds."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]
        self.setup_environ()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a client in a thread, in the place of another one if there are too many."""
        with self._changed:
            if len(self._open) >= _AT_ONCE:
                self._cut(1)
                self._changed.wait_for(lambda: len(self._open) < _AT_ONCE, _CUT_WITHIN)
            free = len(self._open) < _AT_ONCE
            if free:
                self._open[request] = time.monotonic()
        if free:
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def shutdown_request(self, request: Any) -> None:
        """End a connection, and forget it."""
        super().shutdown_request(request)
        with self._changed:
            self._open.pop(request, None)
            self._changed.notify()

    def cut_slow(self) -> None:
        """End the connections of clients that take too long."""
        with self._changed:
            self._cut(sum(time.monotonic() - began > _SECONDS for began in self._open.values()))

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that is gone, or was cut off, is no error of ours."""
        log.debug("scrape_broken_off", exc_info=True)

    def _cut(self, amount: int) -> None:
        """End the oldest connections; their threads, which wait for those clients, go on and forget them."""
        for request in list(self._open)[:amount]:
            with suppress(OSError):
                request.shutdown(socket.SHUT_RDWR)


def _for_hosts(app: Callable[..., Iterable[bytes]], *, loopback: bool) -> Callable[..., Iterable[bytes]]:
    def guarded(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if loopback and not _is_address(environ.get("HTTP_HOST", "")):
            start_response("403 Forbidden", [("Content-Type", "text/plain; charset=utf-8")])
            return [b"Ask for this port by its address, such as 127.0.0.1, or as localhost.\n"]
        environ["HTTP_ACCEPT"] = acceptable(environ.get("HTTP_ACCEPT", ""))
        return app(environ, start_response)

    return guarded


def _is_address(host: str) -> bool:
    """True for an IP address or ``localhost``, with or without a port, and for no host at all, as of an old client."""
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    if host == "" or name.lower() == "localhost":
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
