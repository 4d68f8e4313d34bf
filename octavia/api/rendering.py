"""Subtitles in other lines than those that the job wrote, made anew from its JSON."""

from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from octavia import subtitles
from octavia.errors import InputError
from octavia.storage import Storage
from octavia.transcripts import Transcript

SUBTITLES: Final = ("srt", "vtt")
"""The formats that have lines."""

_OF_LINES: Final = ("max_line_length", "max_lines")


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
    max_lines: int | None = Field(None, ge=1, le=4, description="Lines of a subtitle, 1 to 4.")

    def check_applies(self, format: str) -> bool:
        """Whether anything is asked for, which only subtitles can have.

        Raises:
          InputError: ``not_applicable``.
        """
        asked = [name for name in _OF_LINES if getattr(self, name) is not None]
        if asked and format not in SUBTITLES:
            raise InputError(
                f"A file of the format {format[:40]!r} has no lines of its own to be measured.",
                code="not_applicable",
                hint=f"Leave {' and '.join(asked)} out, or ask for {' or '.join(SUBTITLES)}.",
                field=asked[0],
            )
        return bool(asked)


def render(
    storage: Storage, key: str, wanted: TextRequest, *, format: str, translated: bool, max_line_length: int | None
) -> bytes:
    """The subtitles.

    Parameters:
      key: Of the JSON of the same transcript or translation.
      max_line_length: What the job was asked for, if it was; what is wanted now goes before.

    Raises:
      NotFound: ``artifact_missing``.
    """
    transcript = Transcript.from_json(storage.get(key), translated=translated)
    return subtitles.write(
        format,
        transcript,
        max_line_length=wanted.max_line_length or max_line_length or subtitles.MAX_LINE_LENGTH,
        max_lines=wanted.max_lines or subtitles.MAX_LINES,
    ).encode()
