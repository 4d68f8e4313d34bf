"""Characters that models do not know, replaced or removed."""

import re
import unicodedata

import emoji

_STRAIGHT = str.maketrans("‘’‚‛“”„‟", "''''\"\"\"\"") | {ord("…"): "..."}
_DASH = re.compile(r"\s*[—―]\s*|\s+–\s+")
_FIRST_PICTURE = "\u2190"
"""Symbols from here on are arrows, dingbats and emoji; earlier ones are read aloud: ° © ™."""

_PICTURES = ("So", "Cs", "Co", "Cn")
_KEYCAP = "\u20e3"


def plain(text: str) -> str:
    """Return text for a translation model: straight quotes, spaced hyphens for dashes, single spaces, no emoji."""
    return " ".join(without_pictures(_DASH.sub(" - ", text.translate(_STRAIGHT))).split())


def has_letter(text: str) -> bool:
    """Return True if ``text`` has a letter, and so anything to translate."""
    return any(sign.isalpha() for sign in text)


def without_pictures(text: str) -> str:
    """Remove emoji, arrows and dingbats; signs that are read aloud stay: ° © ™."""
    text = emoji.replace_emoji(text, replace=lambda found, _: " " if _is_picture(found) else found)
    return "".join(sign for sign in text if not (sign >= _FIRST_PICTURE and unicodedata.category(sign) in _PICTURES))


def _is_picture(found: str) -> bool:
    return found[0] >= _FIRST_PICTURE or _KEYCAP in found
