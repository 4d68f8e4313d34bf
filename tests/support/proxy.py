"""A TCP proxy that can be cut, for what happens when a server is away for a while."""

import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from types import TracebackType

_CLOSE_WITH_RESET = struct.pack("ii", 1, 0)


class Proxy:
    """Forwards connections to a local port, until ``cut``, and again after ``mend``."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self._reset: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._up = True
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> "Proxy":
        self._spawn(self._accept)
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join(5)

    def cut(self) -> None:
        """Break all connections, and each new one."""
        with self._lock:
            self._up = False
            for one in self._open:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def reset(self) -> None:
        """Have all connections of now end with a reset, as when a machine between restarts; new ones go through."""
        with self._lock:
            self._reset.update(self._open)
            for one in self._open:
                with suppress(OSError):
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _CLOSE_WITH_RESET)
                    # Wakes whoever reads it here, and says nothing to the other side.
                    one.shutdown(socket.SHUT_RD)

    def mend(self) -> None:
        """Let connections through again."""
        with self._lock:
            self._up = True

    def _accept(self) -> None:
        while True:
            try:
                client = self._listener.accept()[0]
            except OSError:
                return
            with self._lock:
                if not self._up:
                    client.close()
                    continue
                try:
                    server = socket.create_connection(("127.0.0.1", self._target))
                except OSError:
                    # As if it had been asked itself: nobody is there.
                    client.close()
                    continue
                self._open += [client, server]
            # The two directions share the sockets: whoever ends second closes them.
            pair = threading.Semaphore(1)
            self._spawn(partial(self._pump, client, server, pair))
            self._spawn(partial(self._pump, server, client, pair))

    def _pump(self, source: socket.socket, target: socket.socket, last: threading.Semaphore) -> None:
        with suppress(OSError):
            while block := source.recv(65536):
                target.sendall(block)
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RD if one in self._reset else socket.SHUT_RDWR)
        if not last.acquire(blocking=False):
            with self._lock:
                for one in (source, target):
                    one.close()
                    self._open.remove(one)
                    self._reset.discard(one)

    def _spawn(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, daemon=True)
        self._threads.append(thread)
        thread.start()
