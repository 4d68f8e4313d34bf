"""What is said between the process that decodes and the one that asks: small, without a name of any file, no pickles.

A request is a few numbers, and the file itself as an open descriptor; that of a film says in a message what it shall
become. The answer is messages: their kind, their length, and JSON, samples, or bytes of a file and where they belong.
"""

import json
import socket
import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

_REQUEST = struct.Struct("<BId")
_HEAD = struct.Struct("<BI")
_PLACE = struct.Struct("<Q")
# A block is a second of sound at most.
_LONGEST = 16 * 1024 * 1024


class Gone(Exception):
    """The other side has closed the connection, or says what it never would."""


class Task(IntEnum):
    """What to do with a file."""

    PROBE = 1
    DECODE = 2
    MUX = 3


class Kind(IntEnum):
    """What a message is.

    Attributes:
      READY: The process takes requests; ``network``: whether it still has one.
      INFO: What ``probe`` found.
      BLOCK: float32 samples.
      END: There are no more; of a film ``left_out``: the codecs that ``mux`` gives.
      REFUSED: The file is at fault; the fields of an ``InputError``.
      UNREADABLE: The file could not be read; ``detail``.
      BROKEN: A bug of ours; ``detail``.
      RECIPE: What a film becomes; to the process that decodes.
      OUTPUT: Bytes of the film, and where they belong in it.
    """

    READY = 1
    INFO = 2
    BLOCK = 3
    END = 4
    REFUSED = 5
    UNREADABLE = 6
    BROKEN = 7
    RECIPE = 8
    OUTPUT = 9


@dataclass(frozen=True, slots=True)
class Request:
    """One file to look into.

    Attributes:
      file: Its descriptor.
      rate: Samples per second to decode to.
      longest: Seconds after which it is too long; how long a film is.
      voice: The descriptor of the voice that a film gets. There always are two, so that none is left to open with.
    """

    task: Task
    file: int
    rate: int
    longest: float
    voice: int


def send_request(connection: socket.socket, request: Request) -> None:
    """Ask.

    Raises:
      Gone: As every function here.
    """
    packed = _REQUEST.pack(request.task, request.rate, request.longest)
    try:
        socket.send_fds(connection, [packed], [request.file, request.voice])
    except OSError as error:
        raise Gone from error


def receive_request(connection: socket.socket) -> Request:
    """Wait for a request; its descriptors are the caller's to close."""
    try:
        packed, files, _, _ = socket.recv_fds(connection, _REQUEST.size, 2)
    except OSError as error:
        raise Gone from error
    if len(packed) != _REQUEST.size or len(files) != 2:
        raise Gone
    task, rate, longest = _REQUEST.unpack(packed)
    return Request(Task(task), files[0], rate, longest, files[1])


def send(connection: socket.socket, kind: Kind, content: bytes | memoryview = b"") -> None:
    """Send a message; waits as long as the other side does not take it."""
    try:
        connection.sendall(_HEAD.pack(kind, len(content)))
        connection.sendall(content)
    except OSError as error:
        raise Gone from error


def send_json(connection: socket.socket, kind: Kind, content: dict[str, Any]) -> None:
    """Send a message that is JSON."""
    send(connection, kind, json.dumps(content).encode())


def send_output(connection: socket.socket, at: int, data: bytes | memoryview) -> None:
    """Send bytes of a file and where they belong in it."""
    send(connection, Kind.OUTPUT, _PLACE.pack(at) + data)


def output_of(content: bytearray) -> tuple[int, memoryview]:
    """Where bytes belong, and they themselves."""
    if len(content) < _PLACE.size:
        raise Gone
    return _PLACE.unpack_from(content)[0], memoryview(content)[_PLACE.size :]


def receive(connection: socket.socket) -> tuple[Kind, bytearray]:
    """Wait for a message.

    Raises:
      TimeoutError: Nothing came in the time that was set on the connection.
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
