"""The film of a job with its dub in it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import langcodes

from octavia import subtitles, tracing
from octavia.errors import InputError
from octavia.jobs.tables.states import AudioTracks
from octavia.media.containers import VIDEO_FORMATS, video_format
from octavia.media.mux import Captions, Recipe
from octavia.media.sandbox.parent import shared_sandbox
from octavia.text.filenames import VIDEO
from octavia.text.transcripts import Transcript
from octavia.text.utterances import Utterance
from octavia.work import Work


@dataclass(frozen=True, slots=True)
class Film:
    """The original film.

    Attributes:
      path: A local copy.
      format: The format to write, one of ``VIDEO_FORMATS``; None for sound without a picture.
      container: FFmpeg's name of the original's container, if it is not the one to write.
      seconds: Its length.
    """

    path: Path
    format: str | None
    container: str | None
    seconds: float

    @classmethod
    @contextmanager
    def of(cls, work: Work, key: str) -> Iterator["Film"]:
        """Fetch the film with that storage key, and read its headers."""
        with work.storage.local_path(key) as path:
            found = shared_sandbox().probe(path)
            format, same = video_format(found.container, work.job.input["filename"], found.film_formats)
            container = None if same else found.container
            yield cls(path, format if found.has_video else None, container, work.job.duration or 0.0)

    @property
    def voice(self) -> str | None:
        """The audio format of the dub in it; None if there is no picture."""
        return VIDEO_FORMATS[self.format].voice if self.format else None


def write_video(work: Work, film: Film, voice: Path, utterances: Sequence[Utterance], folder: Path) -> None:
    """Write the film with the dub (``voice``, in its audio format) and subtitles; a failure is only a warning."""
    assert film.format is not None
    target = folder / f"{VIDEO}.{film.format}"
    recipe = _recipe(work, film.format, utterances)
    size = film.path.stat().st_size + 1
    try:
        with target.open("w+b") as file, tracing.span("mux", {"octavia.formats": film.format}):
            left_out = shared_sandbox().mux(
                film.path,
                voice,
                recipe,
                file,
                seconds=film.seconds,
                on_written=lambda written: work.checkpoint(min(1.0, written / size)),
            )
    except InputError as error:
        work.warnings.append({"code": "no_video", "message": f"There is no video with the dub: {error.message}"})
        return
    if film.container is not None:
        message = (
            f"With the dub the film is {target.name}, with the same picture: Octavia does not write its own container "
            f"({film.container}), or that cannot hold this picture."
        )
        work.warnings.append({"code": "video_container_changed", "message": message})
    if left_out:
        message = f"{target.name} is without tracks that this container cannot have: {', '.join(left_out)}."
        work.warnings.append({"code": "video_tracks_left_out", "message": message})
    work.save_file(target.name, target, VIDEO_FORMATS[film.format].media_type, published=True)


def _recipe(work: Work, format: str, utterances: Sequence[Utterance]) -> Recipe:
    job = work.job
    width = job.options.get("max_line_length") or subtitles.MAX_LINE_LENGTH
    captions: list[Captions] = []
    for translated in (True, False) if utterances else ():
        spoken = job.result_language if translated else job.source_language
        if captions and spoken == job.result_language:
            # Spoken again in its own language.
            break
        transcript = Transcript(tuple(utterances), translated, spoken, job.duration)
        text = subtitles.write(VIDEO_FORMATS[format].text, transcript, max_line_length=width)
        captions.append(Captions(_three_letters(spoken), text))
    return Recipe(
        format=format,
        language=_three_letters(job.result_language),
        original_language=_three_letters(job.source_language),
        replace=job.options.get("audio_tracks") == AudioTracks.REPLACE,
        captions=tuple(captions),
    )


def _three_letters(language: str) -> str:
    """The ISO 639-2 code that video containers have; ``und`` if there is none."""
    try:
        return langcodes.Language.get(language).to_alpha3()
    except LookupError:
        return "und"
