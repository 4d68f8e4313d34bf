"""Probe, decode and copy strangers' media in a process of its own, which is started when needed and used again."""

import json
import math
import os
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import structlog

from octavia.engines.types import SPEECH_RATE, Samples
from octavia.errors import InputError
from octavia.media.bounds import too_complex
from octavia.media.mux import Recipe
from octavia.media.probe import MediaInfo
from octavia.media.sandbox.process import Ended, Process, crashed, unreadable
from octavia.media.sandbox.wire import Kind, Request, Task, output_of
from octavia.media.source import Source

# Then another process takes over: what earlier files have left behind in it, memory or worse, goes with it.
_MOST_REQUESTS = 100
# How large a film may get: another container wraps its packets otherwise, and subtitles come on top.
_SIZE_SHARE = 2
_SIZE_MORE = 64 * 1024 * 1024

logger = structlog.get_logger()


class Sandbox:
    """Does what ``probe``, ``decode`` and ``mux`` do, elsewhere. For one thread, which must outlive it.

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

    def mux(
        self,
        source: Source,
        voice: Source,
        recipe: Recipe,
        target: BinaryIO,
        *,
        seconds: float,
        on_written: Callable[[int], None],
    ) -> list[str]:
        """Write a film with another voice into an empty file; gives the codecs of tracks that had to be left out.

        Parameters:
          voice: A path, or an open file of the system's; what ``Encoder`` wrote.
          seconds: How long the film is.
          on_written: Is told now and then how many bytes there are; what it raises ends the work.

        Raises:
          InputError: As ``octavia.media.mux.mux``; ``media_too_complex`` or ``decoder_crashed``.
          DecoderLost, Unavailable: As ``probe``.
          OSError: From writing, such as when the disk is full.
        """
        written = 0
        with (
            _opened(source) as film,
            _opened(voice) as spoken,
            self._asked(film, Task.MUX, longest=seconds, voice=spoken, recipe=asdict(recipe)) as process,
        ):
            most = _SIZE_SHARE * (_size(film) + _size(spoken)) + _SIZE_MORE
            kind, content = process.receive()
            while kind is Kind.OUTPUT:
                at, data = output_of(content)
                if at + len(data) > most:
                    raise too_complex("The film that would be made is far larger than what it is made of.")
                target.seek(at)
                target.write(data)
                written = max(written, at + len(data))
                on_written(written)
                kind, content = process.receive()
        self._check(kind, content)
        left_out: list[str] = json.loads(content)["left_out"]
        return left_out

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
        self,
        source: Source,
        task: Task,
        *,
        rate: int = SPEECH_RATE,
        longest: float = math.inf,
        voice: BinaryIO | None = None,
        recipe: dict[str, Any] | None = None,
    ) -> Iterator[Process]:
        # Whoever asks before this answer has ended gets a process of its own.
        process, self._idle = self.start(), None
        try:
            with _opened(source) as file:
                process.ask(Request(task, file.fileno(), rate, longest, (voice or file).fileno()), recipe)
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


def _opened(source: Source) -> AbstractContextManager[BinaryIO]:
    return source.open("rb") if isinstance(source, Path) else nullcontext(source)


def _size(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size


@cache
def shared() -> Sandbox:
    """The one of this process."""
    return Sandbox()
