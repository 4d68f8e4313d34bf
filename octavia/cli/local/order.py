"""What the user asks for, checked before anything starts."""

import codecs
import hashlib
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from octavia.errors import InputError
from octavia.jobs.tables.states import JobType
from octavia.media import formats as audio_formats
from octavia.text.cue_files import HEAD, CueFormat, recognised

_SNIFF = 8192


@dataclass(frozen=True, slots=True)
class Request:
    """One run of the pipeline: a recording or a text, and what to make of it."""

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
        """A request over a recording, or over subtitles where it does not need one.

        Raises:
          InputError: The file is not there or may not be read, or a language or format is not known.
        """
        _check_file(file)
        if file.stat().st_size == 0:
            raise InputError(f"The file {file} is empty.", code="empty_file", hint="Give a recording.")
        source, target = _languages(source, target, may_be_same=revoice)
        if revoice:
            options["revoice"] = True
        format = subtitle_format(file) if type_ != "transcribe" and not revoice else None
        if format is not None:
            _check_written_language(source)
        return cls(JobType(type_), source, target, _options(**options), file.resolve(), None, file.stem, format)

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
        """A request over a text.

        Raises:
          InputError: There is no text, or a language or format is not known.
        """
        if text is None or not text.strip():
            raise InputError("There is no text.", code="text_empty", hint="Give a text file, - for stdin, or --text.")
        source, target = _languages(source, target, may_be_same=False)
        _check_written_language(source)
        stem = name.stem if name and str(name) != "-" else "text"
        return cls(JobType(type_), source, target, _options(**options), None, text, stem)

    @property
    def default_out(self) -> Path:
        """The folder for the results when none is named: beside the user, after the file and the command."""
        return Path(f"{self.name}-{self.type}")

    @property
    def fingerprint(self) -> str:
        """The same for the same command over the same input, so that a run can be taken up again."""
        if self.file:
            status = self.file.stat()
            given = [str(self.file), status.st_size, status.st_mtime_ns]
        else:
            given = [self.written]
        recipe = [self.type, self.source, self.target, self.options, given]
        return hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()

    def describe(self) -> str:
        """The command in a few words."""
        languages = "" if self.target in (None, self.source) else f" into {self.target}"
        return f"{self.type} {self.file.name if self.file else 'of a text'}{languages}"


def text_input(file: Path | None, text: str | None) -> str | None:
    """The text given by ``--text``, on stdin or in a file; None when the file is not text.

    Raises:
      InputError: None or two of them are given, or the file is not there or may not be read.
    """
    if (file is None) == (text is None):
        raise InputError(
            "Give one input: a file, - for stdin, or --text.", code="usage", hint='For example: --text "Good morning."'
        )
    if file is None:
        return text
    if str(file) == "-":
        data = sys.stdin.buffer.read()
    else:
        _check_file(file)
        with file.open("rb") as opened:
            head = opened.read(_SNIFF)
            if not _looks_like_text(head):
                return None
            data = head + opened.read()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if str(file) != "-":
            return None
        raise InputError("The text on stdin is not UTF-8.", code="not_text", hint="Convert it first.") from error


def subtitle_format(file: Path | None) -> CueFormat | None:
    """Which subtitles a file has, if it has some and can be read."""
    if file is None or not os.path.isfile(file) or not os.access(file, os.R_OK):
        return None
    with file.open("rb") as opened:
        return recognised(opened.read(HEAD))


def _check_written_language(source: str) -> None:
    if source == "auto":
        raise InputError(
            "The language of the text is not given.",
            code="language_required",
            hint="Say it with --from, e.g. --from en; it is only detected in speech.",
        )


def _check_file(file: Path) -> None:
    if not os.path.isfile(file):  # Path.is_file raises where a folder above may not be entered
        raise InputError(
            f"There is no file {file}.", code="file_not_found", hint="Check the path; a folder is not a file."
        )
    if not os.access(file, os.R_OK):
        raise InputError(
            f"The file {file} may not be read.", code="file_unreadable", hint="Change its permissions, or copy it."
        )


def _looks_like_text(head: bytes) -> bool:
    """Whether the beginning of a file is text; a recording must not be read whole to find that it is none."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return b"\0" not in head


def _languages(source: str, target: str | None, *, may_be_same: bool) -> tuple[str, str | None]:
    from octavia.catalog import languages

    source = "auto" if source.strip().lower() == "auto" else languages.normalize(source)
    if target is None:
        return source, source if may_be_same and source != "auto" else None
    target = languages.normalize(target)
    if source == target and not may_be_same:
        raise InputError(
            f"Source and target language are both '{target}'.",
            code="same_language",
            hint="Name another --to; to only change the voice of a recording: octavia dub --revoice.",
        )
    return source, target


def _options(*, formats: str | None = None, speed: float = 1.0, **options: Any) -> dict[str, Any]:
    chosen = {name: value for name, value in options.items() if value is not None}
    if formats is not None:
        chosen["formats"] = audio_formats.chosen([formats])
    if speed != 1.0:
        chosen["speed"] = speed
    return chosen
