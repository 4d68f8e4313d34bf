"""Text as it is said: what is written in digits, signs and abbreviations, in words.

Markup, emoji and addresses are seen to in every language; numbers, dates, times, money, units and abbreviations in
English and Spanish. Voices read other languages' digits by themselves.
"""

from octavia.engines.characters import without_pictures
from octavia.engines.spoken import abbreviations, addresses, dates, markup, money, numbers, times, units
from octavia.engines.spoken.words import LANGUAGES

# Each takes what those before left: "3 p.m." is no abbreviation, "$5m" no length, "5 km" no plain number.
_CONCEPTS = (times, dates, money, units, abbreviations, numbers)


def speakable(text: str, language: str) -> str:
    """Text for a voice of ``language`` (ISO 639-1): single spaces, nothing in it that is not said; maybe empty."""
    text = addresses.spoken(without_pictures(markup.stripped(text)), language)
    if language in LANGUAGES:
        for concept in _CONCEPTS:
            text = concept.spoken(text, language)
    text = " ".join(text.split())
    return text if any(sign.isalnum() for sign in text) else ""
