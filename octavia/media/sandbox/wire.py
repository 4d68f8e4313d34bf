"""The protocol between parent and child: small, without file names and pickles.

A request is a few numbers and two open descriptors; one for a film or for cues is followed by its details. The answer
is messages of a kind, a length and a content: JSON, samples, or bytes of a file and their position.
"""

import json
import socket
import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

_REQUEST = struct.Struct("<BIdH")
_HEAD = struct.Struct("<BI")
_PLACE = struct.Struct("<Q")
# Bytes of a message; a block is at most one second of sound.
_LONGEST = 16 * 1024 * 1024


class Gone(Exception):
    """The other side has closed the connection or violated the protocol."""


class Task(IntEnum):
    """The work to do with a file."""

    PROBE = 1
    DECODE = 2
    MUX = 3
    CUES = 4


class Kind(IntEnum):
    """The kind of a message, which tells its content.

    Attributes:
      READY: JSON: the child accepts requests; the fields of ``Layers``.
      INFO: JSON: the fields of ``MediaInfo``.
      BLOCK: float32 samples.
      END: The answer is complete; for a film JSON, ``left_out``: the codecs that ``mux`` returned; for cues their
        warnings.
      REFUSED: JSON: the file is at fault; the fields of an ``InputError``.
      UNREADABLE: JSON: the file could not be read; ``detail``.
      BROKEN: JSON: a bug in Octavia; ``detail``.
      DETAILS: JSON: the fields of a film's ``Recipe``, or the arguments of ``cue_files.read``; from parent to child.
      OUTPUT: Bytes of the film, after their position in it.
      CUES: JSON: some of the cues, as ``cue_files.to_rows``.
    """

    READY = 1
    INFO = 2
    BLOCK = 3
    END = 4
    REFUSED = 5
    UNREADABLE = 6
    BROKEN = 7
    DETAILS = 8
    OUTPUT = 9
    CUES = 10


@dataclass(frozen=True, slots=True)
class Request:
    """One file to read.

    Attributes:
      file: Its descriptor.
      rate: Sample rate to decode to, in Hz.
      longest: Longest recording to accept, or the length of a film, in seconds.
      track: Number of the sound track to decode, from 1; None leaves the choice to the child.
      voice: Descriptor of the voice for a film. Every request has two, so that the child cannot open another file.
    """

    task: Task
    file: int
    rate: int
    longest: float
    track: int | None
    voice: int


def send_request(connection: socket.socket, request: Request) -> None:
    """Send a request.

    Raises:
      Gone: As every function of this module.
    """
    packed = _REQUEST.pack(request.task, request.rate, request.longest, request.track or 0)
    try:
        socket.send_fds(connection, [packed], [request.file, request.voice])
    except OSError as error:
        raise Gone from error


def receive_request(connection: socket.socket) -> Request:
    """Wait for a request; the caller closes its descriptors."""
    try:
        packed, files, _, _ = socket.recv_fds(connection, _REQUEST.size, 2)
    except OSError as error:
        raise Gone from error
    if len(packed) != _REQUEST.size or len(files) != 2:
        raise Gone
    task, rate, longest, track = _REQUEST.unpack(packed)
    return Request(Task(task), files[0], rate, longest, track or None, files[1])


def send(connection: socket.socket, kind: Kind, content: bytes | memoryview = b"") -> None:
    """Send a message; blocks until the other side takes it."""
    try:
        connection.sendall(_HEAD.pack(kind, len(content)))
        connection.sendall(content)
    except OSError as error:
        raise Gone from error


def send_json(connection: socket.socket, kind: Kind, content: Any) -> None:
    """Send a JSON message."""
    send(connection, kind, json.dumps(content).encode())


def send_output(connection: socket.socket, at: int, data: bytes | memoryview) -> None:
    """Send bytes of a file and their position ``at`` in it."""
    send(connection, Kind.OUTPUT, _PLACE.pack(at) + data)


def output_of(content: bytearray) -> tuple[int, memoryview]:
    """Split the content of an ``OUTPUT`` message into the position and the bytes."""
    if len(content) < _PLACE.size:
        raise Gone
    return _PLACE.unpack_from(content)[0], memoryview(content)[_PLACE.size :]


def receive(connection: socket.socket) -> tuple[Kind, bytearray]:
    """Wait for a message.

    Raises:
      TimeoutError: Nothing came within the connection's timeout.
    """
    number, length = _HEAD.unpack(_exactly(connection, _HEAD.size))
    try:
        kind = Kind(number)
    except ValueError as error:
        raise Gone from error
    if length > _LONGEST:
        raise Gone
    return kind, _exactly(connection, length)


def _exactly(connection: socket.socket, size: int) -> bytearray:
    data = bytearray(size)
    left = memoryview(data)
    while left:
        try:
            count = connection.recv_into(left)
        except TimeoutError:
            raise
        except OSError as error:
            raise Gone from error
        if not count:
            raise Gone
        left = left[count:]
    return data
