"""Words in a script that the voice's language is not written in, which no voice can read."""

import unicodedata

import langcodes

_LATIN = "Latn"
_NAMED = ("LATIN", "GREEK", "MICRO", "OHM", "KELVIN", "ANGSTROM", "FEMININE", "MASCULINE", "MODIFIER", "COMBINING")
"""Beginnings of the names of letters that voices of languages in Latin letters read or name: "α" is "alpha"."""


def readable(text: str, language: str) -> str:
    """Leave out the words that a voice of a language in Latin letters would spell as "Chinese symbol"."""
    if langcodes.Language.get(language).maximize().script != _LATIN:
        return text
    return "".join(sign for sign in text if _is_read(sign))


def _is_read(sign: str) -> bool:
    if unicodedata.category(sign)[0] not in "LM" or unicodedata.normalize("NFKC", sign).isascii():
        return True
    return unicodedata.name(sign, "").startswith(_NAMED)
