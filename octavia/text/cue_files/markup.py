"""Tags in angle brackets, of SubRip and WebVTT: taken out of a cue's text in one pass."""

import html
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

# Speakers, words' classes and words' times have a place of their own, or none.
_UNSTYLED: Final = ("v", "c", "lang", "ruby", "rt", "br", "p", "div")
_SUBRIP: Final = re.compile(
    r"/?(?:[biusapcv]|font|span|em|strong|strike|br|div|ruby|rt|lang|h[1-6])(?=[\s./>])", re.IGNORECASE
)
_NAME: Final = re.compile(r"/?([A-Za-z0-9]*)")
_TIME: Final = re.compile(r"(?:\d{1,9}:)?\d\d:\d\d\.\d{3}>")
# With a semicolon: what stands in "R&D" or "?a=1&copy=2" is no entity.
_ENTITY: Final = re.compile(r"&(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
# An override of SubStation Alpha, as in {\an8}, or a code of MicroDVD, as in {y:i}.
_BRACES: Final = re.compile(r"\{(?:\\[^{}]*|[CcFfoPSsYyHh]:[^{}]*)\}")
# Of which a speaker's name keeps far fewer.
_LONGEST_ANNOTATION: Final = 1000
_BREAKS: Final = str.maketrans({"\n": " "})


@dataclass(frozen=True, slots=True)
class Plain:
    """A cue's text without its markup.

    Attributes:
      speaker: The first that a voice tag names.
      styled: A style or a position was taken out.
    """

    text: str
    speaker: str | None
    styled: bool


def of_subrip(text: str) -> Plain:
    """Read the text of a SubRip cue: tags that players know, overrides in braces, and entities."""
    inner = without_codes(text)
    found = _untagged(inner, lambda at: bool(_SUBRIP.match(inner, at) or _TIME.match(inner, at)))
    plain = decoded(found.text.replace("\\N", "\n").replace("\\h", " "))
    return Plain(plain, found.speaker, found.styled or len(inner) < len(text))


def of_webvtt(text: str) -> Plain:
    """Read the text of a WebVTT cue, by its grammar; a ``<`` that no letter follows is one."""

    def is_tag(at: int) -> bool:
        return text[at].isalpha() or text[at] in "/.>" or _TIME.match(text, at) is not None

    found = _untagged(text, is_tag)
    return Plain(html.unescape(found.text), found.speaker, found.styled)


def without_codes(text: str) -> str:
    """Return a text without the codes of MicroDVD and the overrides of SubStation Alpha."""
    return _BRACES.sub("", text)


def decoded(text: str) -> str:
    """Return a text with its HTML entities as the characters that they stand for."""
    return _ENTITY.sub(lambda entity: html.unescape(entity.group()), text)


def _untagged(text: str, is_tag: Callable[[int], bool]) -> Plain:
    """Take tags out.

    Parameters:
      is_tag: Tells of the place behind a ``<`` whether a tag begins there.
    """
    kept: list[str] = []
    speaker, styled, place, closing = None, False, 0, -1
    reading = False  # Inside a ruby's reading, which repeats its base.
    while (opening := text.find("<", place)) >= 0:
        if closing < opening:
            closing = text.find(">", opening)
            if closing < 0:
                break
        kept.append("" if reading else text[place:opening])
        if not is_tag(opening + 1):
            kept.append("" if reading else "<")
            place = opening + 1
            continue
        tag = text[opening + 1 : closing]
        place = closing + 1
        named = _NAME.match(tag)
        name = named[1].lower() if named else ""
        if name in ("rt", "ruby"):
            reading = tag == "rt" or tag.startswith(("rt.", "rt "))
        elif name == "br":
            kept.append("\n")
        elif name == "v" and speaker is None and not tag.startswith("/"):
            annotation = tag.translate(_BREAKS).partition(" ")[2].lstrip()
            speaker = html.unescape(annotation[:_LONGEST_ANNOTATION]).strip() or None
        styled = styled or (bool(name) and not name[0].isdigit() and name not in _UNSTYLED) or tag.startswith("c.")
    kept.append("" if reading else text[place:])
    return Plain("".join(kept), speaker, styled)
