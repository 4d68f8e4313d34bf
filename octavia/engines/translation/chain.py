"""Translation through other languages, for pairs without a model of their own."""

from collections.abc import Sequence

from octavia.engines.types import Translator


class ChainTranslator:
    """Several translators in a row: each translates the output of the one before."""

    def __init__(self, legs: Sequence[Translator]) -> None:
        self._legs = tuple(legs)

    def reads(self, text: str) -> bool:
        """Return True if the first leg's source vocabulary spells ``text``."""
        return self._legs[0].reads(text)

    def writes(self, text: str) -> bool:
        """Return True if ``text`` comes through: each leg can write it, and the next one read it."""
        return all(leg.writes(text) for leg in self._legs) and all(leg.reads(text) for leg in self._legs[1:])

    def translate(self, sentences: Sequence[str], *, beam_size: int = 2) -> list[str]:
        """Translate a batch; the answer has the length and order of ``sentences``."""
        texts = list(sentences)
        for leg in self._legs:
            texts = leg.translate(texts, beam_size=beam_size)
        return texts

    def alternatives(self, sentences: Sequence[str], *, count: int) -> list[list[str]]:
        """Return one to ``count`` different translations of each sentence; only the last leg's differ."""
        *before, last = self._legs
        texts = list(sentences)
        for leg in before:
            texts = leg.translate(texts)
        return last.alternatives(texts, count=count)
