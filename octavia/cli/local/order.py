"""The order that a command of the local pipeline gives, checked before anything starts."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from octavia.cli.inputs import check_file, subtitle_format
from octavia.errors import InputError
from octavia.jobs.lifecycle import request_rules
from octavia.jobs.tables.states import JobType
from octavia.media import formats as audio_formats
from octavia.text import glossaries
from octavia.text.cue_files import CueFormat


@dataclass(frozen=True, slots=True)
class Order:
    """One run of the pipeline: the input, and the type, languages and options of its job.

    Attributes:
      file: The recording or the subtitles; None for a text.
      written: The text; None for a file.
      name: Of the folder for the results, together with the type.
      format: Of subtitles; None for a recording or a text.
    """

    type: JobType
    source: str
    target: str | None
    options: dict[str, Any]
    file: Path | None
    written: str | None
    name: str
    format: CueFormat | None = None

    @classmethod
    def media(
        cls,
        type_: Literal["dub", "transcribe", "translate", "synthesize"],
        file: Path,
        *,
        source: str,
        target: str | None = None,
        revoice: bool = False,
        **options: Any,
    ) -> Self:
        """Order work on a recording, or on subtitles unless the job needs sound.

        Parameters:
          options: Of the job; ``glossary`` is the path of its file.

        Raises:
          InputError: The file cannot be read, a language or format is unknown, or options do not fit together.
        """
        check_file(file)
        if file.stat().st_size == 0:
            raise InputError(f"The file {file} is empty.", code="empty_file", hint="Give a recording.")
        format = subtitle_format(file) if type_ != "transcribe" and not revoice else None
        if revoice:
            options["revoice"] = True
        recipe = _recipe(JobType(type_), source, target, options, from_text=format is not None, cues=format is not None)
        return cls(*recipe, file.resolve(), None, file.stem, format)

    @classmethod
    def text(
        cls,
        type_: Literal["translate", "synthesize"],
        text: str | None,
        *,
        source: str,
        target: str | None = None,
        name: Path | None = None,
        **options: Any,
    ) -> Self:
        """Order work on a text.

        Parameters:
          name: The file that held the text, if any.
          options: Of the job; ``glossary`` is the path of its file.

        Raises:
          InputError: The text is empty, a language or format is unknown, or options do not fit together.
        """
        if text is None or not text.strip():
            raise InputError("There is no text.", code="text_empty", hint="Give a text file, - for stdin, or --text.")
        recipe = _recipe(JobType(type_), source, target, options, from_text=True)
        return cls(*recipe, None, text, name.stem if name and str(name) != "-" else "text")

    @property
    def default_out(self) -> Path:
        """The folder for the results unless one is named, such as ``talk-dub`` in the current folder."""
        return Path(f"{self.name}-{self.type}")

    @property
    def fingerprint(self) -> str:
        """A digest of the command and its input; a run is only resumed by the command that began it."""
        if self.file:
            status = self.file.stat()
            given = [str(self.file), status.st_size, status.st_mtime_ns]
        else:
            given = [self.written]
        recipe = [self.type, self.source, self.target, self.options, given]
        return hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()

    def describe(self) -> str:
        """The command in a few words, such as ``dub talk.mp4 into es``."""
        languages = "" if self.target in (None, self.source) else f" into {self.target}"
        return f"{self.type} {self.file.name if self.file else 'of a text'}{languages}"


def _recipe(
    type_: JobType, source: str, target: str | None, options: dict[str, Any], *, from_text: bool, cues: bool = False
) -> tuple[JobType, str, str | None, dict[str, Any]]:
    """Type, languages and options, with their files read, once they are checked."""
    from octavia.catalog import languages

    source = "auto" if source.strip().lower() == "auto" else languages.normalize(source)
    target = target if target is None else languages.normalize(target)
    source, target = request_rules.check(type_, source, target, options, from_text=from_text, cues=cues)
    return type_, source, target, _options(**options)


def _options(
    *, formats: str | None = None, speed: float = 1.0, glossary: Path | None = None, **options: Any
) -> dict[str, Any]:
    chosen = {name: value for name, value in options.items() if value is not None}
    if formats is not None:
        chosen["formats"] = audio_formats.chosen([formats])
    if speed != 1.0:
        chosen["speed"] = speed
    if glossary is not None and (terms := glossaries.read(glossary)):
        chosen["glossary"] = terms
    return chosen
