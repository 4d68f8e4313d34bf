"""Cut a recording into chunks, and have work on the first ones begin while the rest is still read."""

import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from octavia import tracing
from octavia.actors.artifacts import chunk_name
from octavia.actors.fetch import recording
from octavia.actors.sound import choose_sound, chosen_sound
from octavia.engines.types import SPEECH_RATE, Samples
from octavia.jobs.tables.records import ChunkPlan, Plan
from octavia.jobs.tables.states import EARLY_FORMAT
from octavia.media.encode import flac
from octavia.media.formats import FORMATS
from octavia.media.sandbox.parent import shared_sandbox
from octavia.media.split import split
from octavia.media.tracks import SoundTrack
from octavia.text import cue_files
from octavia.work import Work

_RELEASE_SECONDS = 1.0
# Joined recordings say wrong lengths: only the end shows that all was read.
_MOST_READ = 0.99


def cut(work: Work, choice: Plan, released: Iterable[float]) -> Plan:
    """Decode once, streaming and in the sandbox, and store each chunk as a file; returns the whole plan.

    If the language is known, chunks are released while the next ones are cut, about once a second.

    Parameters:
      choice: A plan without chunks.
      released: Seconds of the chunks that earlier attempts have released: they stay as they are.
    """
    chunks = list(_placed(released))
    begin = round((chunks[-1].start + chunks[-1].seconds) * SPEECH_RATE) if chunks else 0
    sandbox = shared_sandbox()
    longest = work.settings.max_media_seconds
    with work.storage.local_path(recording(work)) as path:
        _check_is_recording(path, work.job.input.get("filename"))
        with tracing.span("probe"):
            found = sandbox.probe(path)
        track, warnings = _sound(work, found.sounds, go_on=bool(chunks))
        plan = replace(choice, warnings=(*choice.warnings, *warnings))
        release = _Release(work, plan, found.duration or 0.0)
        with (
            tracing.span("decode") as span,
            closing(sandbox.decode(path, rate=SPEECH_RATE, longest=longest, track=track)) as blocks,
        ):
            watched = _watched(work, blocks, release)
            for chunk in split(
                watched, rate=SPEECH_RATE, longest=work.settings.chunk_seconds, first=len(chunks), begin=begin
            ):
                # One behind: for the only chunk of a short recording this would be work without a use.
                release.now_and_then(chunks)
                audio = flac(chunk.samples, SPEECH_RATE)
                work.save(chunk_name(chunk.index, "flac"), audio, FORMATS["flac"].media_type)
                chunks.append(ChunkPlan(chunk.index, chunk.start, len(chunk.samples) / SPEECH_RATE))
            span.note({"octavia.chunks": len(chunks)})
    # Older releases read their starts here.
    work.save_json("chunks.json", [{"start": chunk.start, "seconds": chunk.seconds} for chunk in chunks])
    end = chunks[-1].start + chunks[-1].seconds if chunks else 0.0
    return replace(plan, chunks=tuple(chunks), duration=end)


class _Release:
    """Releases chunks, if that is possible before all are known."""

    def __init__(self, work: Work, plan: Plan, whole: float) -> None:
        self._work = work
        self._plan = plan
        self._whole = whole
        # Older workers cannot do such a job, and chunks need the language.
        self._possible = work.job.message_format >= EARLY_FORMAT and not plan.needs_detect
        self._due = 0.0

    def share(self, seconds: float) -> float:
        """The share of the recording (0–1) that so many seconds are, as far as known."""
        return min(_MOST_READ, seconds / self._whole) if self._whole else 0.0

    def now_and_then(self, chunks: list[ChunkPlan]) -> None:
        """Release these chunks, unless others were released just now."""
        if chunks and self._possible and time.monotonic() >= self._due:
            last = chunks[-1]
            self._work.release(replace(self._plan, chunks=tuple(chunks)), self.share(last.start + last.seconds))
            self._due = time.monotonic() + _RELEASE_SECONDS


def _placed(lengths: Iterable[float]) -> Iterator[ChunkPlan]:
    """Put chunks of these seconds one behind the other."""
    start = 0
    for index, seconds in enumerate(lengths):
        yield ChunkPlan(index, start / SPEECH_RATE, seconds)
        start += round(seconds * SPEECH_RATE)


def _sound(work: Work, tracks: tuple[SoundTrack, ...], *, go_on: bool) -> tuple[int, list[dict[str, str]]]:
    """Choose the sound track, or take the one that released chunks are from; returns its number, and warnings."""
    chosen = chosen_sound(work) if go_on else None
    return choose_sound(work, tracks) if chosen is None else (chosen, [])


def _watched(work: Work, blocks: Iterable[Samples], release: _Release) -> Iterator[Samples]:
    """Yield the blocks, with a checkpoint after each: a chunk is many of them, and those of released ones are read."""
    samples = 0
    for block in blocks:
        yield block
        samples += len(block)
        work.checkpoint(release.share(samples / SPEECH_RATE))


def _check_is_recording(path: Path, name: str | None) -> None:
    """Refuse subtitles that came from an address; those that were uploaded have been refused then."""
    with path.open("rb") as file:
        cue_files.refuse_recording(file.read(cue_files.HEAD), name)
