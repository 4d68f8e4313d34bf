"""The command line that others see of a process, which is written anew when it becomes something else."""

import ctypes
from pathlib import Path


class Title:
    """The memory that holds the words of this process's command line; what is longer is cut."""

    def __init__(self) -> None:
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        # The 48th and the 49th field; those before the parenthesis are two.
        self._start, end = int(fields[45]), int(fields[46])
        self._room = end - self._start

    def write(self, *words: str) -> None:
        """Show these words, parted by spaces."""
        text = " ".join(words).encode()[: self._room - 2]
        # If it does not end in a zero, the kernel takes it for words up to the first one.
        ctypes.memmove(self._start, text.ljust(self._room - 1, b"\0") + b" ", self._room)
