"""Subtitles made on request from a job's JSON: other lines or formats, word timestamps, or two languages."""

from typing import Final, Literal

from pydantic import Field

from octavia import subtitles
from octavia.api.http.fields import Fields
from octavia.errors import InputError
from octavia.jobs.tables import contents
from octavia.jobs.tables.queries import ArtifactRecord
from octavia.storage import Storage
from octavia.text.transcripts import Transcript

Kind = Literal["transcript", "translation", "bilingual"]

_LINES: Final = ("max_line_length", "max_lines")


class RevisionRequest(Fields):
    """The query of a result."""

    revision: int | None = Field(
        None, ge=1, le=2**31 - 1, description="A revision's number, from 1; if not given, the current revision."
    )


class TextRequest(RevisionRequest):
    """The query of a transcript or a translation."""

    max_line_length: int | None = Field(
        None, ge=10, le=200, description="Columns of a subtitle's line, 10 to 200; wide characters take two."
    )
    max_lines: int | None = Field(
        None, ge=1, le=4, description="Lines of a subtitle, 1 to 4; each of two languages has half of them."
    )
    words: bool = Field(False, description="In a transcript's WebVTT, mark each word with its time.")

    def is_stored(self, kind: Kind, format: str) -> bool:
        """Return True if the job itself has written this file, so that it need not be made.

        Raises ``InputError`` (``not_applicable``) if the file cannot have a requested property.
        """
        lines = [name for name in _LINES if getattr(self, name) is not None]
        if lines and format not in subtitles.SUBTITLE_FORMATS:
            raise InputError(
                f"The format {format[:40]!r} has no subtitle lines.",
                code="not_applicable",
                hint=f"Leave {' and '.join(lines)} out, or ask for {' or '.join(subtitles.SUBTITLE_FORMATS)}.",
                field=lines[0],
            )
        if self.words and (kind, format) != ("transcript", "vtt"):
            raise InputError(
                f"{kind}.{format[:40]} has no word timestamps.",
                code="not_applicable",
                hint="Leave words out, or ask for transcript.vtt: only recognised words have timestamps.",
                field="words",
            )
        if kind == "bilingual" and self.max_lines == 1:
            raise InputError(
                "Two languages do not fit in one line.",
                code="not_applicable",
                hint="Leave max_lines out, or ask for 2 or 4.",
                field="max_lines",
            )
        return kind != "bilingual" and format in subtitles.FORMATS and not lines and not self.words


def render(
    storage: Storage,
    source: ArtifactRecord,
    query: TextRequest,
    *,
    kind: Kind,
    format: str,
    source_language: str,
    max_line_length: int | None,
) -> bytes:
    """Return a file of subtitles.

    Parameters:
      source: The JSON of the transcript, or of the translation for any other kind.
      source_language: The language of the recording.
      max_line_length: The job's own line length, if any, for requests without one.

    Raises:
      NotFound: ``artifact_missing``.
    """
    transcript = Transcript.from_json(contents.read(storage, source), translated=kind != "transcript")
    width = query.max_line_length or max_line_length or subtitles.MAX_LINE_LENGTH
    lines = query.max_lines or subtitles.MAX_LINES
    if kind != "bilingual":
        return subtitles.write(format, transcript, max_line_length=width, max_lines=lines, words=query.words).encode()
    shown = subtitles.bilingual(
        transcript.utterances,
        source_language=source_language,
        language=transcript.language,
        max_line_length=width,
        max_lines=lines,
    )
    return subtitles.encode(format, shown).encode()
