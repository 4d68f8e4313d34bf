"""A user's translations of terms, and their places in a sentence."""

import re
from bisect import bisect_left
from collections.abc import Mapping

from octavia.engines.literals import literals
from octavia.engines.replacements import Replacement, Replacer, apart

NO_SPACES = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff"
"""Scripts without spaces between words, and Korean, which glues particles to words."""


class Glossary:
    """Terms of the source language and their translations.

    A term matches whole words. A term in small letters matches any case, one with a capital only itself ("us", "US");
    where both match, the exact one wins, and of several terms the longest. A space matches any white space, an
    apostrophe straight or curly ones. Translations are written exactly as given, even at the beginning of a sentence.
    """

    def __init__(self, terms: Mapping[str, str]) -> None:
        ordered = sorted(terms, key=lambda term: (-len(term), term == term.lower()))
        self._terms = Replacer((_pattern(term), terms[term]) for term in ordered)

    def kept(self, text: str) -> list[Replacement]:
        """Return what must be written in a translation of ``text``, in order: terms, and literals outside of them."""
        found = [Replacement(literal.start, literal.end, literal.text) for literal in literals(text)]
        starts = [literal.start for literal in found]

        def within(place: int) -> bool:
            last = bisect_left(starts, place) - 1
            return last >= 0 and place < found[last].end

        # A term within an address is not meant; an address may be a term, or part of one.
        terms = [term for term in self._terms.find(text) if not within(term.start) and not within(term.end)]
        return sorted([*terms, *apart(found, terms)])


def _pattern(term: str) -> str:
    words = r"\s+".join(re.sub("['’]", "['’]", re.escape(word)) for word in term.split())
    before = rf"(?<![^\W{NO_SPACES}])" if _parted(term[0]) else ""
    after = rf"(?![^\W{NO_SPACES}])" if _parted(term[-1]) else ""
    return f"{before}{f'(?i:{words})' if term == term.lower() else words}{after}"


def _parted(sign: str) -> bool:
    """Return True if spaces separate a word that begins or ends with this sign from the next word."""
    return bool(re.match(rf"[^\W{NO_SPACES}]", sign))
