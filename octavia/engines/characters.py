"""Characters that models do not know, replaced or removed."""

import re
import unicodedata

import emoji

from octavia.engines.replacements import Replacement, replaced

_STRAIGHT = str.maketrans("‘’‚‛“”„‟", "''''\"\"\"\"") | {ord("…"): "..."}
_DASH = re.compile(r"(?:(?<!\s)\s++)?[—―]\s*|(?<!\s)\s++–\s+")
_HYPHEN = re.compile(r"(?<=[^\W\d])[‐‑–](?=[^\W\d])")
_FIRST_PICTURE = "\u2190"
"""Symbols from here on are arrows, dingbats and emoji; earlier ones are read aloud: ° © ™."""

_PICTURES = ("So", "Co", "Cn")
_ARROWS = re.compile("[\u2190-\u21ff\u27f0-\u27ff\u2900-\u297f\u2b00-\u2bff]")
"""Blocks of arrows, some of which Unicode counts as mathematics."""

_KEYCAP = "\u20e3"
_STRETCH = re.compile(r"(?s:.{1,500}(?=[\s\w]|\Z)|.{1,500})")
"""Text for one call of the library, whose time grows with the square of a row of joined emoji. It ends before a letter,
digit or space, so that no emoji is cut in two."""

# Control characters, halves of a surrogate pair, noncharacters; and signs that only guide the layout of a line.
_NO_TEXT = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"
    "\xad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]"
)


def printable(text: str) -> str:
    """Remove what is no text: control characters, lone surrogates, and signs that only guide layout."""
    return _NO_TEXT.sub("", text)


def straight(text: str) -> str:
    """Replace curly quotes, dashes and the ellipsis by the signs of a typewriter."""
    return _HYPHEN.sub("-", _DASH.sub(" - ", text.translate(_STRAIGHT)))


def plain(text: str) -> str:
    """Return text for a translation model: straight quotes, hyphens for dashes, single spaces, no emoji."""
    return " ".join(without_pictures(straight(printable(text))).split())


def has_letter(text: str) -> bool:
    """Return True if ``text`` has a letter, and so anything to translate."""
    return any(sign.isalpha() for sign in text)


def without_pictures(text: str) -> str:
    """Replace emoji, arrows and dingbats by spaces; signs that are read aloud stay: ° © ™."""
    return replaced(text, (Replacement(start, end, " ") for start, end in pictures(text)))


def pictures(text: str) -> list[tuple[int, int]]:
    """Return the spans of emoji (flags and families whole), arrows, dingbats and musical notes, in order."""
    found = [
        (stretch.start() + one["match_start"], stretch.start() + one["match_end"])
        for stretch in _STRETCH.finditer(text)
        for one in emoji.emoji_list(stretch[0])
        if _is_picture(one["emoji"])
    ]
    within = {place for span in found for place in range(*span)}
    found += [(place, place + 1) for place, sign in enumerate(text) if place not in within and _is_symbol(sign)]
    return sorted(found)


def _is_picture(found: str) -> bool:
    return found[0] >= _FIRST_PICTURE or _KEYCAP in found


def _is_symbol(sign: str) -> bool:
    return sign >= _FIRST_PICTURE and (unicodedata.category(sign) in _PICTURES or bool(_ARROWS.match(sign)))
