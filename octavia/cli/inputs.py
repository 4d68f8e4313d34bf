"""The input of a command: a recording, subtitles or a text, from a file, stdin or an option."""

import codecs
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from octavia.cli.configuration import get_settings
from octavia.errors import InputError

if TYPE_CHECKING:
    from octavia.text.cue_files import CueFormat

_TEXTS = (".txt", ".text", ".md")
"""Suffixes of what is surely no recording."""


def check_file(file: Path) -> None:
    """Refuse a file that does not exist (``file_not_found``) or cannot be read (``file_unreadable``)."""
    if not os.path.isfile(file):  # Path.is_file raises where a folder above may not be entered
        raise InputError(
            f"There is no file {file}.", code="file_not_found", hint="Check the path; a folder is not a file."
        )
    if not os.access(file, os.R_OK):
        raise InputError(
            f"No permission to read {file}.", code="file_unreadable", hint="Change its permissions, or copy it."
        )


def read_input(file: Path | None, text: str | None) -> Path | str:
    """Return the text given by ``--text``, on stdin (``-``) or in a file; for subtitles or a recording, its path.

    Raises ``InputError``: ``usage`` (not exactly one input), ``not_text`` (on stdin), or as ``check_file``.
    """
    if text is not None and file is None:
        return text
    if file is None or text is not None:
        raise InputError(
            "Give one input: a file, - for stdin, or --text.", code="usage", hint='For example: --text "Good morning."'
        )
    if str(file) == "-":
        try:
            return sys.stdin.buffer.read().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise InputError("The text on stdin is not UTF-8.", code="not_text", hint="Convert it first.") from error
    from octavia.text.cue_files import HEAD, recognised

    check_file(file)
    with file.open("rb") as opened:
        head = opened.read(2 * HEAD)
        if recognised(head[:HEAD], file.name) is not None:
            return file
        try:
            if _looks_like_text(head):
                return (head + opened.read()).decode("utf-8-sig")
        except UnicodeDecodeError:
            pass
    if file.suffix.lower() in _TEXTS:
        raise InputError(
            f"The text in {file} is not UTF-8.",
            code="not_text",
            hint="Convert it, for example: iconv -f windows-1252 -t utf-8.",
        )
    return file


def subtitle_format(file: Path) -> "CueFormat | None":
    """Return the subtitle format of a file; None for any other content, and for a file that cannot be read.

    Raises ``InputError`` (``bad_subtitles``) if it is named like subtitles, and is no text.
    """
    if not os.path.isfile(file) or not os.access(file, os.R_OK):
        return None
    from octavia.text.cue_files import HEAD, recognised

    with file.open("rb") as opened:
        return recognised(opened.read(HEAD), file.name)


def check_subtitles(given: Path | str, format: "CueFormat", *, language: str) -> None:
    """Read subtitles once, so that errors are told before any worker is started.

    Parameters:
      given: Their file, or their text.
      language: Their language, ISO 639-1.

    Raises ``InputError`` as ``cue_files.read``.
    """
    from octavia.text import cue_files

    settings = get_settings()
    size = given.stat().st_size if isinstance(given, Path) else len(given)
    cue_files.check_size(size, most_chars=settings.max_text_chars)
    data = given.read_bytes() if isinstance(given, Path) else given.encode()
    cue_files.read(
        data,
        format,
        longest_seconds=settings.max_media_seconds,
        most_chars=settings.max_text_chars,
        language=language,
    )


def _looks_like_text(head: bytes) -> bool:
    """Return whether the beginning of a file is text, so that a long recording need not be read whole."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return b"\0" not in head
