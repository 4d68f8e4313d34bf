"""The progress of a client that reads: Linux knows what has reached it; asyncio knows only its own buffer."""

import asyncio
import fcntl
import socket
import struct
import termios
from typing import Final

_BYTES_ACKED: Final = struct.Struct("@120xQ")
"""The place of ``tcpi_bytes_acked`` in ``struct tcp_info``."""


class Delivery:
    """Follows what one client takes; ``look`` must be called again and again.

    What counts is what the client's machine has acknowledged: the kernel's buffer holds more than asyncio's.

    Parameters:
      pause: Length of a window, in seconds.
      bytes_per_second: What a client must take on average in a window, unless less was waiting for it.

    Attributes:
      stuck_since: When the client took something for the last time while more was waiting for it, on the event loop's
        clock; None if nothing waits.
      too_slow: True once a client has taken less in a window than it must.
    """

    def __init__(self, transport: asyncio.Transport, *, pause: float, bytes_per_second: int) -> None:
        self.stuck_since: float | None = None
        self.too_slow = False
        self._transport = transport
        self._pause = pause
        self._least = pause * bytes_per_second
        self._taken = 0
        self._window: _Window | None = None

    def look(self, now: float, elapsed: float) -> None:
        """Note what has been taken since the last call.

        Parameters:
          now: The time on the event loop's clock.
          elapsed: Seconds since the last call, without the time in which this process could not work.
        """
        waiting, taken = self._read()
        progress = taken > self._taken
        self._taken = taken
        if not waiting:
            self.stuck_since, self._window = None, None
            return
        if progress or self.stuck_since is None:
            self.stuck_since = now
        if self._window is None:
            self._window = _Window(taken, waiting)
            return
        self._window.seconds += elapsed
        if self._window.seconds >= self._pause:
            self.too_slow = taken - self._window.taken < min(self._window.waiting, self._least)
            self._window = _Window(taken, waiting)

    def _read(self) -> tuple[int, int]:
        """Return the bytes that wait for the client, and those that it has taken since it came."""
        buffered = self._transport.get_write_buffer_size()
        of_transport: socket.socket = self._transport.get_extra_info("socket")
        try:
            unsent = fcntl.ioctl(of_transport.fileno(), termios.TIOCOUTQ, b"\0" * 4)
            info = of_transport.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _BYTES_ACKED.size)
        except (OSError, ValueError):
            return buffered, self._taken  # it has just been closed
        return buffered + int.from_bytes(unsent, "little"), _BYTES_ACKED.unpack(info)[0]


class _Window:
    """The bytes taken, and those waiting, when a window began; and its length so far."""

    def __init__(self, taken: int, waiting: int) -> None:
        self.taken = taken
        self.waiting = waiting
        self.seconds = 0.0
