"""Text as it is spoken: digits, signs and abbreviations in words. ``speakable`` is all that voices need.

Markup, emoji, addresses and words in other scripts are handled in every language; numbers, dates, times, money, units
and abbreviations in English and Spanish, because voices read the digits of other languages themselves. One concept per
module; knows
``engines.literals``, ``engines.characters`` and ``engines.replacements``. Begin with ``numbers``.
"""

from octavia.engines.characters import without_pictures
from octavia.engines.spoken import abbreviations, addresses, dates, markup, money, numbers, scripts, times, units
from octavia.engines.spoken.words import LANGUAGES

__all__ = ["speakable"]

# In this order: "3 p.m." is not an abbreviation, "$5m" not a length, "5 km" not a plain number.
_CONCEPTS = (times, dates, money, units, abbreviations, numbers)


def speakable(text: str, language: str) -> str:
    """Return text for a voice of ``language`` (ISO 639-1), in words and single spaces; empty if nothing is spoken."""
    text = addresses.spoken(without_pictures(markup.stripped(text)), language)
    text = scripts.readable(text, language)
    if language in LANGUAGES:
        for concept in _CONCEPTS:
            text = concept.spoken(text, language)
    text = " ".join(text.split())
    return text if any(sign.isalnum() for sign in text) else ""
