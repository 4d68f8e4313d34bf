"""Probe and decode strangers' media in a process of its own, which is started when needed and used again."""

import json
import math
from collections.abc import Generator, Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from pathlib import Path

import numpy as np
import structlog

from octavia.engines.types import SPEECH_RATE, Samples
from octavia.errors import InputError
from octavia.media.probe import MediaInfo
from octavia.media.sandbox.process import Ended, Process, crashed, unreadable
from octavia.media.sandbox.wire import Kind, Request, Task
from octavia.media.source import Source

# Then another process takes over: what earlier files have left behind in it, memory or worse, goes with it.
_MOST_REQUESTS = 100

logger = structlog.get_logger()


class Sandbox:
    """Does what ``probe`` and ``decode`` do, elsewhere. For one thread, which must outlive it.

    A process that ends is replaced at the next use. So is one whose answer nobody heard to its end: the next request
    gets no sound of the last one's.

    Attributes:
      deaths: How many of its processes have ended before they had answered.
    """

    def __init__(self) -> None:
        self.deaths = 0
        self._idle: Process | None = None

    def probe(self, source: Source) -> MediaInfo:
        """Read the headers.

        Parameters:
          source: A path, or an open file of the system's.

        Raises:
          InputError: As ``octavia.media.probe.probe``; ``media_too_complex`` or ``decoder_crashed``.
          DecoderLost: The process was ended from outside, or does not start.
          Unavailable: ``storage_unavailable``: the file cannot be read.
        """
        with self._asked(source, Task.PROBE) as process:
            kind, content = process.receive()
        self._check(kind, content)
        return MediaInfo(**json.loads(content))

    def decode(
        self, source: Source, *, rate: int = SPEECH_RATE, longest: float = math.inf
    ) -> Generator[Samples, None, None]:
        """Yield the sound as mono blocks of at most one second at ``rate`` Hz.

        It is decoded as it is taken: what was not is a few blocks at most.

        Raises:
          InputError: As ``octavia.media.decode.decode``; ``media_too_complex`` or ``decoder_crashed``.
          DecoderLost, Unavailable: As ``probe``.
        """
        with self._asked(source, Task.DECODE, rate=rate, longest=longest) as process:
            kind, content = process.receive()
            while kind is Kind.BLOCK:
                yield np.frombuffer(content, dtype=np.float32)
                kind, content = process.receive()
        self._check(kind, content)

    def start(self) -> Process:
        """The idle process; started now if there is none."""
        if self._idle is None or not self._idle.running:
            self.close()
            self._idle = Process()
        return self._idle

    def close(self) -> None:
        """End the idle process."""
        if self._idle:
            self._idle.kill()
        self._idle = None

    @contextmanager
    def _asked(
        self, source: Source, task: Task, *, rate: int = SPEECH_RATE, longest: float = math.inf
    ) -> Iterator[Process]:
        # Whoever asks before this answer has ended gets a process of its own.
        process, self._idle = self.start(), None
        try:
            with source.open("rb") if isinstance(source, Path) else nullcontext(source) as file:
                process.ask(Request(task, file.fileno(), rate, longest))
            yield process
        except Ended as ended:
            self.deaths += 1
            logger.warning("decoder_ended", cause=ended.cause, code=ended.error.code, deaths=self.deaths)
            raise ended.error from None
        except BaseException:
            process.kill()
            raise
        if self._idle is None and process.asked < _MOST_REQUESTS:
            self._idle = process
        else:
            process.kill()

    def _check(self, kind: Kind, content: bytearray) -> None:
        """Raise what the answer ended with, if that is an error."""
        if kind in (Kind.INFO, Kind.END):
            return
        told = json.loads(content)
        if kind is Kind.REFUSED:
            raise InputError(told["message"], code=told["code"], hint=told["hint"], field=told["field"])
        if kind is Kind.UNREADABLE:
            raise unreadable(told["detail"])
        logger.error("decoder_broke", detail=told["detail"])
        raise crashed()


@cache
def shared() -> Sandbox:
    """The one of this process."""
    return Sandbox()
