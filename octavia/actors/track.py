"""The dub as files: one track in every requested format, and the film with it."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

from octavia import tracing
from octavia.actors.fetch import recording
from octavia.actors.sound import chosen_sound
from octavia.actors.synthesize import speech_name
from octavia.actors.video import Film, write_video
from octavia.engines.types import Audio, Samples
from octavia.engines.voices.tempo import stretch
from octavia.jobs.tables.states import TEXT_KINDS, Background, JobType, Stage
from octavia.media import mix
from octavia.media.encode import Encoder, read_audio
from octavia.media.formats import FORMATS
from octavia.media.limiter import limit
from octavia.media.master import Sound, leveled, mastered
from octavia.media.render import render
from octavia.media.sandbox.parent import shared_sandbox
from octavia.media.timeline import Placement
from octavia.text.utterances import Utterance
from octavia.work import Work

TRACK_RATE = 24_000
CEILING = -1.0
"""The highest true peak, in dBTP: lossy formats add a little to it without clipping."""

# One to measure the voice's loudness, two for the track's, and one to write it.
_PASSES = 4


def write_track(work: Work, utterances: Sequence[Utterance], placements: Sequence[Placement]) -> float:
    """Write the track, and the film if there is one; returns the length of the track in seconds."""
    formats = work.job.options.get("formats") or ("wav",)
    with tempfile.TemporaryDirectory(prefix="octavia-") as name, ExitStack() as stack:
        folder = Path(name)
        has_original = work.job.type is JobType.DUB and work.job.input["kind"] not in TEXT_KINDS
        film = stack.enter_context(Film.of(work, recording(work))) if has_original else None
        spoken = [pair for pair in zip(utterances, placements, strict=True) if pair[0].said]
        voice = _Voice(work, spoken, folder)
        wanted = [*formats, film.voice] if film and film.voice else formats
        tracks = {format: folder / f"dub.{format}" for format in wanted}
        length = 0
        with ExitStack() as writing, tracing.span("encode", {"octavia.formats": ",".join(tracks)}):
            encoders = [writing.enter_context(Encoder(path, format, TRACK_RATE)) for format, path in tracks.items()]
            sound = _mixed(work, voice.blocks, placements, film)
            # The loudness setting is for speech; here is none.
            if spoken:
                blocks = mastered(sound, TRACK_RATE, work.settings.dub_loudness, CEILING)
            else:
                blocks = limit(sound(), TRACK_RATE, CEILING)
            for block in blocks:
                for encoder in encoders:
                    encoder.write(block)
                length += len(block)
        for format in formats:
            work.save_file(tracks[format].name, tracks[format], FORMATS[format].media_type, published=True)
        if film and film.voice:
            write_video(work, film, tracks[film.voice], utterances, folder)
    return length / TRACK_RATE


def _mixed(work: Work, voice: Sound, placements: Sequence[Placement], film: Film | None) -> Sound:
    """The voice at the track's loudness, and under it the original, if requested."""
    spoken = leveled(voice, TRACK_RATE, work.settings.dub_loudness)
    background = Background(work.job.options.get("background", Background.NONE))
    if film is None or background is Background.NONE:
        return spoken
    level = work.job.options.get("background_level")
    if background is Background.DUCK:
        gains = mix.ducked(placements, -18.0 if level is None else level, TRACK_RATE)
    else:
        gains = mix.steady(0.0 if level is None else level)
    track = chosen_sound(work)

    def mixed() -> Iterator[Samples]:
        with closing(shared_sandbox().decode(film.path, rate=TRACK_RATE, track=track)) as original:
            yield from mix.under(spoken(), original, gains)
            # Read to its end, so that the process that decodes can be used again.
            for _ in original:
                pass

    return mixed


class _Voice:
    """The track of the voice alone, which may be read several times."""

    def __init__(self, work: Work, spoken: Sequence[tuple[Utterance, Placement]], folder: Path) -> None:
        self._work = work
        self._spoken = spoken
        self._folder = folder
        self._passed = 0
        self._done = 0.0

    def blocks(self) -> Iterator[Samples]:
        """Read the track from its beginning."""
        total = self._work.job.duration or 0.0
        placements = [placement for _, placement in self._spoken]
        for block in render(placements, self._open, rate=TRACK_RATE, total=total):
            # Check in long silence too: the task may have to stop.
            self._work.checkpoint(self._done)
            yield block
        self._passed += 1

    def _open(self, index: int) -> Audio:
        self._done = (self._passed + index / len(self._spoken)) / _PASSES
        utterance, placement = self._spoken[index]
        # Fetched and stretched only once: the storage may be far away.
        kept = self._folder / f"{index}.flac"
        if not kept.exists():
            stored = self._work.read(Stage.SYNTHESIZE, speech_name(utterance), chunk=utterance.chunk)
            samples, rate = read_audio(stored)
            with Encoder(kept, "flac", rate) as encoder:
                encoder.write(stretch(samples, rate, placement.rate))
        samples, rate = read_audio(kept)
        return Audio(samples, rate)
