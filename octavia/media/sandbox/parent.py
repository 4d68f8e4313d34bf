"""Read clients' media and subtitles in a child process, which is started when needed and reused."""

import json
import math
import os
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
import structlog

from octavia.engines.types import SPEECH_RATE, Samples
from octavia.errors import InputError, Unavailable
from octavia.media.bounds import too_complex
from octavia.media.mux import Recipe
from octavia.media.probe import MediaInfo
from octavia.media.sandbox import faults
from octavia.media.sandbox.process import PATIENCE, Ended, Process
from octavia.media.sandbox.wire import Kind, Request, Task, output_of
from octavia.media.source import Source
from octavia.text import cue_files
from octavia.text.cue_files import CueFormat, GivenCue, GivenCues

MOST_REQUESTS: Final = 100
"""Requests of one child process; replacing it discards all that earlier files have left in it, memory or worse."""

# A film may grow to this multiple of its parts, and so many bytes more: containers differ, and subtitles are added.
_SIZE_SHARE = 2
_SIZE_MORE = 64 * 1024 * 1024

logger = structlog.get_logger()


class Sandbox:
    """Probes, decodes, muxes and reads cues in a child process. For one thread, which must outlive it.

    The next use replaces a process that has ended, or whose answer was not read to its end, so that no request gets
    sound of the previous one.

    Parameters:
      patience: Seconds without a message after which a process is killed.
      most_requests: Requests after which a process is replaced.

    Attributes:
      deaths: Number of its processes that ended before they had answered.
    """

    def __init__(self, *, patience: float = PATIENCE, most_requests: int = MOST_REQUESTS) -> None:
        self.deaths = 0
        self._patience = patience
        self._most_requests = most_requests
        self._idle: Process | None = None

    def probe(self, source: Source) -> MediaInfo:
        """Read the headers.

        Parameters:
          source: A path, or an open file that has a descriptor.

        Raises:
          InputError: As ``octavia.media.probe.probe``; ``media_too_complex`` or ``decoder_crashed``.
          DecoderLost: The process was killed from outside, hangs, or does not start.
          Unavailable: ``storage_unavailable``: the file cannot be read.
        """
        with self._asked(source, Task.PROBE) as process:
            kind, content = process.receive()
        _check(Task.PROBE, kind, content)
        with _no_nonsense(Task.PROBE):
            return MediaInfo.from_dict(json.loads(content))

    def decode(
        self, source: Source, *, rate: int = SPEECH_RATE, longest: float = math.inf, track: int | None = None
    ) -> Generator[Samples, None, None]:
        """Yield the sound as mono blocks of at most one second; decoding runs at most a few blocks ahead.

        Parameters:
          rate: Sample rate of the blocks in Hz.
          longest: Longest recording to accept, in seconds.
          track: Number of the sound track, from 1; None leaves the choice to ``octavia.media.tracks.choose``.

        Raises:
          InputError: As ``octavia.media.decode.decode``; ``media_too_complex`` or ``decoder_crashed``.
          DecoderLost, Unavailable: As ``probe``.
        """
        with self._asked(source, Task.DECODE, rate=rate, longest=longest, track=track) as process:
            kind, content = process.receive()
            while kind is Kind.BLOCK:
                yield np.frombuffer(content, dtype=np.float32)
                kind, content = process.receive()
        _check(Task.DECODE, kind, content)

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
        """Write a film with another voice into an empty file; returns the codecs of the tracks left out.

        Parameters:
          source: The film: a path, or an open file that has a descriptor.
          voice: The voice, likewise; ``Encoder`` wrote it.
          seconds: Length of the film.
          on_written: Called now and then with the bytes written so far; an exception from it ends the work.

        Raises:
          InputError: As ``octavia.media.mux.mux``; ``media_too_complex`` or ``decoder_crashed``.
          DecoderLost, Unavailable: As ``probe``.
          OSError: ``target`` cannot be written, for example because the disk is full.
        """
        written = 0
        with (
            _opened(source) as film,
            _opened(voice) as spoken,
            self._asked(film, Task.MUX, longest=seconds, voice=spoken, details=asdict(recipe)) as process,
        ):
            most = _SIZE_SHARE * (_size(film) + _size(spoken)) + _SIZE_MORE
            kind, content = process.receive()
            while kind is Kind.OUTPUT:
                at, data = output_of(content)
                if at + len(data) > most:
                    raise too_complex("The new film would be far larger than the original and the voice.")
                target.seek(at)
                target.write(data)
                written = max(written, at + len(data))
                on_written(written)
                kind, content = process.receive()
        _check(Task.MUX, kind, content)
        with _no_nonsense(Task.MUX):
            return [str(codec) for codec in json.loads(content)["left_out"]]

    def read_cues(
        self,
        source: Source,
        format: CueFormat,
        *,
        longest_seconds: float,
        most_chars: int,
        language: str | None = None,
    ) -> GivenCues:
        """Return the cues of a file of subtitles; for the parameters see ``octavia.text.cue_files.read``.

        Raises:
          InputError: As ``read`` there; ``bad_subtitles`` too if it takes too much time or memory, or crashes it.
          DecoderLost, Unavailable: As ``probe``.
        """
        details = {
            "format": format,
            "longest_seconds": longest_seconds,
            "most_chars": most_chars,
            "language": language,
        }
        cues: list[GivenCue] = []
        chars = 0
        with self._asked(source, Task.CUES, details=details) as process:
            kind, content = process.receive()
            while kind is Kind.CUES:
                with _no_nonsense(Task.CUES):
                    some = cue_files.from_rows(json.loads(content))
                cues += some
                chars += sum(len(cue.text) for cue in some)
                if max(chars, len(cues)) > most_chars:
                    raise faults.crashed(Task.CUES)
                kind, content = process.receive()
        _check(Task.CUES, kind, content)
        with _no_nonsense(Task.CUES):
            warnings = tuple({"code": str(one["code"]), "message": str(one["message"])} for one in json.loads(content))
        return GivenCues(tuple(cues), warnings)

    def start(self) -> Process:
        """Return the idle process; starts one if needed."""
        if self._idle is None or not self._idle.running:
            self.close()
            self._idle = Process(patience=self._patience)
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
        track: int | None = None,
        voice: BinaryIO | None = None,
        details: dict[str, Any] | None = None,
    ) -> Iterator[Process]:
        # A request before the end of this answer gets a process of its own.
        process, self._idle = self.start(), None
        try:
            with _opened(source) as file:
                request = Request(task, file.fileno(), rate, longest, track, (voice or file).fileno())
                process.ask(request, details)
            yield process
        except Ended as ended:
            self.deaths += 1
            logger.warning(
                "sandbox_ended", task=task.name.lower(), cause=ended.cause, code=ended.error.code, deaths=self.deaths
            )
            raise ended.error from None
        except BaseException:
            process.kill()
            raise
        if self._idle is None and process.asked < self._most_requests:
            self._idle = process
        else:
            process.kill()


def _check(task: Task, kind: Kind, content: bytearray) -> None:
    """Raise the error that an answer ended with, if any."""
    if kind in (Kind.INFO, Kind.END):
        return
    with _no_nonsense(task):
        answer = json.loads(content)
        if kind is Kind.REFUSED:
            raise InputError(**{name: answer[name] for name in ("message", "code", "hint", "field")})
        detail = str(answer["detail"])
    if kind is Kind.UNREADABLE:
        raise Unavailable("The stored file cannot be read.", reason=detail, code="storage_unavailable")
    logger.error("sandbox_broke", task=task.name.lower(), detail=detail)
    raise faults.crashed(task)


@contextmanager
def _no_nonsense(task: Task) -> Iterator[None]:
    """Read an answer; nonsense is the file's fault, which may have taken the process over."""
    try:
        yield
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise faults.crashed(task) from None


def _opened(source: Source) -> AbstractContextManager[BinaryIO]:
    return source.open("rb") if isinstance(source, Path) else nullcontext(source)


def _size(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size


@cache
def shared_sandbox() -> Sandbox:
    """Return the sandbox that this process uses for all its work."""
    return Sandbox()
