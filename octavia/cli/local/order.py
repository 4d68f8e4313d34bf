"""The order that a command of the local pipeline gives, checked before anything starts."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from octavia.cli.inputs import check_file, check_subtitles, subtitle_format
from octavia.errors import InputError
from octavia.files import fitted
from octavia.jobs.lifecycle import request_rules
from octavia.jobs.tables.states import JobType
from octavia.media import formats as audio_formats
from octavia.text import glossaries

if TYPE_CHECKING:
    from octavia.text.cue_files import CueFormat


@dataclass(frozen=True, slots=True)
class Order:
    """One run of the pipeline: the type, languages and options of its job, and its input.

    Attributes:
      given: The path of a recording or of subtitles, or a text.
      name: Of the folder for the results, together with the type.
      format: Of subtitles, in a file or as a text; None for a recording or prose.
    """

    type: JobType
    source: str
    target: str | None
    options: dict[str, Any]
    given: Path | str
    name: str
    format: "CueFormat | None"

    @classmethod
    def of(
        cls,
        type_: Literal["dub", "transcribe", "translate", "synthesize"],
        given: Path | str | None,
        *,
        source: str,
        target: str | None = None,
        name: Path | None = None,
        **options: Any,
    ) -> Self:
        """Check an order, and read the files of its options.

        Parameters:
          given: The path of a recording or of subtitles, or a text.
          name: The file that held the text, if any.
          options: Of the job; ``formats`` separated by commas, ``glossary`` as the path of its file.

        Raises:
          InputError: The input is missing, empty or unreadable, a language or format is unknown, or options do not fit.
        """
        from octavia.catalog import languages
        from octavia.text.cue_files import recognised_text

        if isinstance(given, Path):
            check_file(given)
            if given.stat().st_size == 0:
                raise InputError(f"The file {given} is empty.", code="empty_file", hint="Give a recording.")
            format = subtitle_format(given)
            given, name = given.resolve(), given
        elif given is None or not given.strip():
            raise InputError("There is no text.", code="text_empty", hint="Give a text file, - for stdin, or --text.")
        else:
            format = recognised_text(given)
        job, cues = JobType(type_), format is not None
        source = "auto" if source.strip().lower() == "auto" else languages.normalize(source)
        target = None if target is None else languages.normalize(target)
        from_text = cues or isinstance(given, str)
        source, target = request_rules.check(job, source, target, options, from_text=from_text, cues=cues)
        if format is not None:
            check_subtitles(given, format, language=source)
        stem = name.stem if name and str(name) != "-" else "text"
        return cls(job, source, target, _options(**options), given, stem, format)

    @property
    def short(self) -> bool:
        """True for a text that is one chunk: it is done before a process of its own for it would have started."""
        from octavia.text.utterances import PIECE_CHARS

        return isinstance(self.given, str) and self.format is None and len(self.given) <= PIECE_CHARS

    @property
    def default_out(self) -> Path:
        """The folder for the results unless one is named, such as ``talk-dub`` in the current folder."""
        return Path(fitted(self.name, f"-{self.type}"))

    @property
    def fingerprint(self) -> str:
        """A digest of the command and its input; a run is only resumed by the command that began it."""
        given: list[Any] = [str(self.given)]
        if isinstance(self.given, Path):
            status = self.given.stat()
            given += [status.st_size, status.st_mtime_ns]
        recipe = [self.type, self.source, self.target, self.options, given]
        return hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()

    def describe(self) -> str:
        """The command in a few words, such as ``dub talk.mp4 into es``."""
        languages = "" if self.target in (None, self.source) else f" into {self.target}"
        return f"{self.type} {self.given.name if isinstance(self.given, Path) else 'of a text'}{languages}"


def _options(
    *, formats: str | None = None, speed: float = 1.0, glossary: Path | None = None, **options: Any
) -> dict[str, Any]:
    chosen = {name: value for name, value in options.items() if request_rules.is_set(value)}
    if formats is not None:
        chosen["formats"] = audio_formats.chosen([formats])
    if speed != 1.0:
        chosen["speed"] = speed
    if glossary is not None and (terms := glossaries.read(glossary)):
        chosen["glossary"] = terms
    return chosen
