"""A user's own words for terms, and where they stand in a sentence."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from octavia.engines.literals import literals

_NO_SPACES = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff"
"""Scripts in which no space parts words, and Korean, which glues particles to them."""


class Kept(NamedTuple):
    """``text[start:end]`` is to become ``written`` in the translation, exactly."""

    start: int
    end: int
    written: str


class Glossary:
    """Terms of the source language and what each becomes.

    A term stands for whole words. One in small letters stands for any case of it, one with a capital only for itself
    ("us", "US"); where both fit, the exact one counts. Of several, the longest. Spaces in it are any white space,
    apostrophes straight or curly ones. What it becomes is written as it is given, at the beginning of a sentence too.
    """

    def __init__(self, terms: Mapping[str, str]) -> None:
        ordered = sorted(terms, key=lambda term: (-len(term), term == term.lower()))
        self._written = [terms[term] for term in ordered]
        parts = (f"({_pattern(term)})" for term in ordered)
        self._terms = re.compile("|".join(parts)) if ordered else None

    def kept(self, text: str) -> list[Kept]:
        """What must stay in ``text``, in order: terms, and literals outside of them, which stay as they are."""
        found = [Kept(literal.start, literal.end, literal.text) for literal in literals(text)]
        if self._terms is not None:
            for match in self._terms.finditer(text):
                term = Kept(match.start(), match.end(), self._written[(match.lastindex or 1) - 1])
                others = [kept for kept in found if kept.start < term.end and term.start < kept.end]
                # A term within an address is not meant; an address may be a term, or part of one.
                if all(term.start <= other.start and other.end <= term.end for other in others):
                    found = [kept for kept in found if kept not in others] + [term]
        return sorted(found)


def _pattern(term: str) -> str:
    words = r"\s+".join(re.sub("['’]", "['’]", re.escape(word)) for word in term.split())
    before = rf"(?<![^\W{_NO_SPACES}])" if _parted(term[0]) else ""
    after = rf"(?![^\W{_NO_SPACES}])" if _parted(term[-1]) else ""
    return f"{before}{f'(?i:{words})' if term == term.lower() else words}{after}"


def _parted(sign: str) -> bool:
    """Whether a word that begins or ends with this sign is parted from the next one."""
    return bool(re.match(rf"[^\W{_NO_SPACES}]", sign))
