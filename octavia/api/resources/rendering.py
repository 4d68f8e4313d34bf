"""Subtitles that the job did not write, made of its JSON: other lines or formats, words' times, two languages."""

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from octavia import subtitles
from octavia.errors import InputError
from octavia.storage import Storage
from octavia.text.transcripts import Transcript

Kind = Literal["transcript", "translation", "bilingual"]

_LINES: Final = ("max_line_length", "max_lines")


class RevisionRequest(BaseModel):
    """The query of a result."""

    model_config = ConfigDict(extra="forbid")

    revision: int | None = Field(
        None, ge=1, le=2**31 - 1, description="An earlier one, from 1 on; if not given, the current one."
    )


class TextRequest(RevisionRequest):
    """The query of a transcript or a translation."""

    max_line_length: int | None = Field(
        None, ge=10, le=200, description="Columns of a subtitle's line, 10 to 200; wide letters take two."
    )
    max_lines: int | None = Field(
        None, ge=1, le=4, description="Lines of a subtitle, 1 to 4; each of two languages has half of them."
    )
    words: bool = Field(False, description="Of a transcript's WebVTT: mark each word and when it is said.")

    def is_written(self, kind: Kind, format: str) -> bool:
        """Whether what is asked for is what the job wrote, as it wrote it.

        Raises:
          InputError: ``not_applicable``: the file cannot have what is asked for.
        """
        asked = [name for name in _LINES if getattr(self, name) is not None]
        if asked and format not in subtitles.SUBTITLE_FORMATS:
            raise InputError(
                f"A file of the format {format[:40]!r} has no lines of its own to be measured.",
                code="not_applicable",
                hint=f"Leave {' and '.join(asked)} out, or ask for {' or '.join(subtitles.SUBTITLE_FORMATS)}.",
                field=asked[0],
            )
        if self.words and (kind, format) != ("transcript", "vtt"):
            raise InputError(
                f"Words have no times of their own in {kind}.{format[:40]}.",
                code="not_applicable",
                hint="Leave words out, or ask for transcript.vtt: only words that were heard have times.",
                field="words",
            )
        if kind == "bilingual" and self.max_lines == 1:
            raise InputError(
                "Two languages do not fit in one line.",
                code="not_applicable",
                hint="Leave max_lines out, or ask for 2 or 4.",
                field="max_lines",
            )
        return kind != "bilingual" and format in subtitles.FORMATS and not asked and not self.words


def render(
    storage: Storage,
    key: str,
    wanted: TextRequest,
    *,
    kind: Kind,
    format: str,
    source_language: str,
    max_line_length: int | None,
) -> bytes:
    """The subtitles.

    Parameters:
      key: Of the JSON of the same transcript or translation; of both languages, of the translation.
      source_language: Of what was said.
      max_line_length: What the job was asked for, if it was; what is wanted now goes before.

    Raises:
      NotFound: ``artifact_missing``.
    """
    transcript = Transcript.from_json(storage.get(key), translated=kind != "transcript")
    width = wanted.max_line_length or max_line_length or subtitles.MAX_LINE_LENGTH
    lines = wanted.max_lines or subtitles.MAX_LINES
    if kind != "bilingual":
        return subtitles.write(format, transcript, max_line_length=width, max_lines=lines, words=wanted.words).encode()
    shown = subtitles.bilingual(
        transcript.utterances,
        source_language=source_language,
        language=transcript.language,
        max_line_length=width,
        max_lines=lines,
    )
    return subtitles.encode(format, shown).encode()
