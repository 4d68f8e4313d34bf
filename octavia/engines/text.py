"""Text as models know it."""

import re
import unicodedata

_STRAIGHT = str.maketrans("‘’‚‛“”„‟", "''''\"\"\"\"") | {ord("…"): "..."}
_DASH = re.compile(r"\s*[—―]\s*|\s+–\s+")
_FIRST_PICTURE = "\u2190"
"""Symbols from here on are arrows, dingbats and emoji; those before are read aloud: ° © ™."""

_VARIATION = "\ufe0f"


def plain(text: str) -> str:
    """Text for a translation model: straight quotes, spaced hyphens for dashes, single spaces, no emoji."""
    return " ".join(_without_pictures(_DASH.sub(" - ", text.translate(_STRAIGHT))).split())


def speakable(text: str) -> str:
    """Text for a voice: single spaces, no emoji, no ``[[phonemes]]``; empty when nothing is left to say."""
    text = " ".join(_without_pictures(text).replace("[[", " ").replace("]]", " ").split())
    return text if any(sign.isalnum() for sign in text) else ""


def has_letter(text: str) -> bool:
    """Whether there is anything to translate."""
    return any(sign.isalpha() for sign in text)


def _without_pictures(text: str) -> str:
    return "".join(sign for sign in text if not _is_picture(sign))


def _is_picture(sign: str) -> bool:
    return sign == _VARIATION or (sign >= _FIRST_PICTURE and unicodedata.category(sign) in ("So", "Cs", "Co", "Cn"))
