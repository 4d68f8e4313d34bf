"""Answer requests, one after the other, in the child process."""

import io
import json
import os
import socket
import traceback
from collections.abc import Iterator
from dataclasses import asdict
from typing import BinaryIO

# PyAV would import it for the first video with subtitles, when no file can be opened any more.
import av.subtitles.codeccontext  # noqa: F401
import numpy as np

from octavia.engines.types import Samples
from octavia.errors import InputError
from octavia.media.decode import decode
from octavia.media.mux import Recipe, mux
from octavia.media.probe import probe
from octavia.media.sandbox import faults, wire
from octavia.media.sandbox.confinement import CpuAllowance, more_memory
from octavia.media.sandbox.wire import Kind, Request, Task
from octavia.text import cue_files

_CPU_SECONDS = 5.0
_BYTES_PER_CPU_SECOND = 50_000_000
_CPU_PER_SECOND_OF_SOUND = 0.5
_CPU_PER_SECOND_OF_FILM = 0.1
# The limit of the kernel is a whole second, so up to one more.
_CPU_SECONDS_OF_TEXT = 4.0
_BYTES_OF_TEXT_PER_CPU_SECOND = 1_600_000
_CUES_A_MESSAGE = 256
# FFmpeg's notes on each packet until the end: three times the need of a film of 25 pictures a second.
_BYTES_PER_SECOND_OF_FILM = 36 * 1024
_LONGEST_FILM = 24 * 3600  # Seconds.
# In stereo, so that what mixes channels is loaded too.
_SILENCE = b"RIFF\x2c\0\0\0WAVEfmt \x10\0\0\0\x01\0\x02\0\x40\x1f\0\0\0\x7d\0\0\x04\0\x10\0data\x08\0\0\0" + bytes(8)


def warm_up() -> None:
    """Decode a few samples and characters, to load all that would otherwise be loaded at the first request."""
    cue_files.load()
    probe(io.BytesIO(_SILENCE))
    list(decode(io.BytesIO(_SILENCE)))


def serve(connection: socket.socket) -> None:
    """Answer requests until the parent closes the connection.

    Raises:
      Gone: The parent has closed it.
    """
    while True:
        request = wire.receive_request(connection)
        with open(request.file, "rb") as file, open(request.voice, "rb") as voice:
            _answer(connection, request, file, voice)


def _answer(connection: socket.socket, request: Request, file: BinaryIO, voice: BinaryIO) -> None:
    try:
        _do(connection, request, file, voice)
    except wire.Gone:
        raise
    except InputError as error:
        _refuse(connection, error)
    except MemoryError:
        _refuse(connection, faults.too_large(request.task))
    except Exception as error:
        # FFmpeg's errors are OSErrors too; only builtin ones come from the disk.
        if isinstance(error, OSError) and type(error).__module__ == "builtins":
            wire.send_json(connection, Kind.UNREADABLE, {"detail": os.strerror(error.errno or 0)})
            return
        # The place in the code, not the text, which may quote the file.
        frame, line = list(traceback.walk_tb(error.__traceback__))[-1]
        place = f"{os.path.basename(frame.f_code.co_filename)}:{line}"
        wire.send_json(connection, Kind.BROKEN, {"detail": f"{type(error).__name__} at {place}"})


def _do(connection: socket.socket, request: Request, file: BinaryIO, voice: BinaryIO) -> None:
    size = file.seek(0, os.SEEK_END)
    if request.task is Task.CUES:
        _read_cues(connection, file, size)
        return
    base = _CPU_SECONDS + size / _BYTES_PER_CPU_SECOND
    allowance = CpuAllowance(base)
    if request.task is Task.PROBE:
        wire.send_json(connection, Kind.INFO, asdict(probe(file)))
        return
    if request.task is Task.MUX:
        allowance.set(base + request.longest * _CPU_PER_SECOND_OF_FILM)
        with more_memory(int(min(request.longest, _LONGEST_FILM) * _BYTES_PER_SECOND_OF_FILM)):
            _, content = wire.receive(connection)
            left_out = mux(file, voice, Recipe.from_dict(json.loads(content)), _Remote(connection))
            wire.send_json(connection, Kind.END, {"left_out": left_out})
        return
    seconds = 0.0
    sound = decode(file, rate=request.rate, longest=request.longest, track=request.track)
    for block in _gathered(sound, request.rate):
        wire.send(connection, Kind.BLOCK, block.data.cast("B"))
        seconds += len(block) / request.rate
        allowance.set(base + seconds * _CPU_PER_SECOND_OF_SOUND)
    wire.send(connection, Kind.END)


def _read_cues(connection: socket.socket, file: BinaryIO, size: int) -> None:
    CpuAllowance(max(_CPU_SECONDS_OF_TEXT, size / _BYTES_OF_TEXT_PER_CPU_SECOND))
    _, content = wire.receive(connection)
    file.seek(0)
    given = cue_files.read(file.read(), **json.loads(content))
    for first in range(0, len(given.cues), _CUES_A_MESSAGE):
        wire.send_json(connection, Kind.CUES, cue_files.to_rows(given.cues[first : first + _CUES_A_MESSAGE]))
    wire.send_json(connection, Kind.END, given.warnings)


class _Remote:
    """A file that the parent writes."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._position = 0
        self._size = 0

    def write(self, data: bytes) -> int:
        wire.send_output(self._connection, self._position, data)
        self._position += len(data)
        self._size = max(self._size, self._position)
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def seekable(self) -> bool:
        return True


def _gathered(blocks: Iterator[Samples], most: int) -> Iterator[Samples]:
    """Join small blocks to nearly ``most`` samples, because each message wakes two processes."""
    held: list[Samples] = []
    try:
        for block in blocks:
            if held and sum(map(len, held)) + len(block) > most:
                yield np.concatenate(held)
                held = []
            held.append(block)
    except InputError:
        if held:
            yield np.concatenate(held)
        raise
    if held:
        yield np.concatenate(held)


def _refuse(connection: socket.socket, error: InputError) -> None:
    fields = {"message": error.message, "code": error.code, "hint": error.hint, "field": error.field}
    wire.send_json(connection, Kind.REFUSED, fields)
