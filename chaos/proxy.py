"""A TCP proxy that can be cut, as when a server is out of reach for a while."""

import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from types import TracebackType

_HOST = "127.0.0.1"
# With this option (linger for 0 s) a socket sends a reset when it is closed.
_RESET = struct.pack("ii", 1, 0)


class Proxy:
    """Forwards connections to a local port, until ``cut``, and again after ``mend``.

    Attributes:
      port: The port that it listens on.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self._listener = socket.create_server((_HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        self._up = True
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> "Proxy":
        self._spawn(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join(5)

    def cut(self) -> None:
        """Break all connections, and every new one."""
        with self._lock:
            self._up = False
            for one in self._open:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """Let connections through again."""
        with self._lock:
            self._up = True

    def reset(self) -> int:
        """Reset all connections, as a firewall or a crashed machine does; returns their number.

        New ones are let through.
        """
        with self._lock:
            for one in self._open:
                with suppress(OSError):
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                    # The pump sees the end and closes the socket; only then the reset goes out.
                    one.shutdown(socket.SHUT_RD)
            return len(self._open) // 2

    def _accept(self) -> None:
        while True:
            try:
                client = self._listener.accept()[0]
            except OSError:
                return
            server = self._connect()
            with self._lock:
                if server is None or not self._up:
                    for one in filter(None, (client, server)):
                        one.close()
                    continue
                self._open += [client, server]
            # The two directions share the sockets: the one that ends second closes them.
            pair = threading.Semaphore(1)
            self._spawn(partial(self._pump, client, server, pair))
            self._spawn(partial(self._pump, server, client, pair))

    def _connect(self) -> socket.socket | None:
        """Connect to the server; None while it is away, when the proxy must go on."""
        if not self._up:
            return None
        try:
            return socket.create_connection((_HOST, self._target))
        except OSError:
            return None

    def _pump(self, source: socket.socket, target: socket.socket, last: threading.Semaphore) -> None:
        with suppress(OSError):
            while block := source.recv(65536):
                target.sendall(block)
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RD if self._resets(one) else socket.SHUT_RDWR)
        if not last.acquire(blocking=False):
            with self._lock:
                for one in (source, target):
                    one.close()
                    self._open.remove(one)

    @staticmethod
    def _resets(one: socket.socket) -> bool:
        return one.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, len(_RESET)) == _RESET

    def _spawn(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, daemon=True)
        self._threads = [one for one in self._threads if one.is_alive()]
        self._threads.append(thread)
        thread.start()
