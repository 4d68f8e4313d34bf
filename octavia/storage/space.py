"""Room of a storage: what is to stay free, and what objects that are under way will need."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from octavia.storage.failures import StorageFull

_HELD_AT_FIRST: Final = 16 * 1024**2
_HELD_PER_BYTE: Final = 4


class Space:
    """The free bytes of a storage above a floor, shared by all that this process writes at once.

    The free bytes are read anew for every block that is written, so writes of other processes count as soon as they
    are made. What is held for an object is not given to others of this process.

    Parameters:
      free: Returns the free bytes; None if the storage does not tell, and then everything fits.
      floor: Bytes that stay free, because accepted jobs need them for their results.
    """

    def __init__(self, free: Callable[[], int | None], floor: int) -> None:
        self._free = free
        self._floor = floor
        self._lock = threading.Lock()
        self._held = 0
        self._writing = 0

    def reserve(self, size: int = 0) -> "Reservation":
        """Find room for an object; ``size`` is 0 if it is not known, and then room is found as bytes are written.

        Raises:
          StorageFull: There is no room for so much.
          StorageRefused, Unavailable: The storage does not tell.
        """
        with self._lock:
            self._check(self._held + size)
            room = Reservation(self, size)
            room._hold()
        return room

    def check(self) -> None:
        """Raise as ``reserve`` if the storage has no room for anything."""
        with self._lock:
            self._check(self._held)

    def _check(self, needed: int) -> None:
        left = self._free()
        if left is not None and left - self._writing - needed < self._floor:
            raise StorageFull(
                "The storage is nearly full, and its last bytes are reserved for accepted jobs.",
                hint="Try again later, or have the operator make room (OCTAVIA_MIN_FREE_BYTES is kept free).",
            )


class Reservation:
    """The room of one object. ``release`` it when the object is written, or given up.

    Of the size that was asked for, so much is held as the object has earned: 16 MiB at first, and four times what has
    been written. Otherwise those who announce much and send little could keep everybody else out.
    """

    def __init__(self, space: Space, size: int) -> None:
        self._space = space
        self._left = size
        self._written = 0
        self._held = 0

    @contextmanager
    def writing(self, size: int) -> Iterator[None]:
        """Take room for so many bytes, which the block writes. Raises as ``Space.reserve``.

        What is not held for this object must leave room for what is held for others.
        """
        space = self._space
        with space._lock:
            others = space._held - self._held if size > self._held else 0
            space._check(others + size)
            space._writing += size
            self._written += size
            self._left = max(self._left - size, 0)
            self._hold()
        try:
            yield
        finally:
            with space._lock:
                space._writing -= size

    def release(self) -> None:
        """Give back what was not written. May be called again."""
        with self._space._lock:
            self._left = 0
            self._hold()

    def _hold(self) -> None:
        held = min(self._left, max(_HELD_AT_FIRST, _HELD_PER_BYTE * self._written))
        self._space._held += held - self._held
        self._held = held
