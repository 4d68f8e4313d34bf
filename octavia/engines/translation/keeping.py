"""A translator that leaves addresses, file names, handles, tags, names and a glossary's terms unchanged."""

from collections.abc import Callable, Mapping, Sequence

import structlog

from octavia.engines.characters import has_letter
from octavia.engines.replacements import Replacement, replaced
from octavia.engines.translation import clauses, names, placeholders
from octavia.engines.translation.glossary import Glossary
from octavia.engines.types import Translator

_Kept = Sequence[Replacement]
"""The parts of a sentence that must be written as given, in order."""

log = structlog.get_logger()


class KeepingTranslator:
    """A translator around another: literals stay as they are, terms are written as the glossary has them.

    Each is masked by a placeholder. Where no placeholder comes through, the text between them is translated alone: the
    grammar may suffer, but nothing is lost.

    The model copies or translates names itself; only names that it garbles are masked.

    Parameters:
      source: The sentences' language, ISO 639-1.
    """

    def __init__(self, translator: Translator, glossary: Glossary, *, source: str) -> None:
        self._translator = translator
        self._source = source
        self._glossary = glossary

    def translate(self, sentences: Sequence[str], *, beam_size: int = 2) -> list[str]:
        """Translate a batch; the answer has the length and order of ``sentences``."""

        def plainly(texts: Sequence[str]) -> list[list[str]]:
            return [[found] for found in self._translator.translate(texts, beam_size=beam_size)]

        return [found[0] for found in self._sentences(sentences, 1, plainly)]

    def alternatives(self, sentences: Sequence[str], *, count: int) -> list[list[str]]:
        """Return one to ``count`` different translations of each sentence, the likeliest first."""
        return self._sentences(sentences, count, lambda texts: self._translator.alternatives(texts, count=count))

    def _sentences(
        self, sentences: Sequence[str], count: int, plainly: Callable[[Sequence[str]], list[list[str]]]
    ) -> list[list[str]]:
        kept = {sentence: self._glossary.kept(sentence) for sentence in sentences}
        plain = [sentence for sentence, parts in kept.items() if not parts]
        done = dict(zip(plain, plainly(plain), strict=True))
        done |= self._masked(self._with_lost_names(plain, done), count)
        keeping = {sentence: parts for sentence, parts in kept.items() if parts}
        done |= self._masked(keeping, count)
        for sentence, parts in keeping.items():
            if sentence not in done:
                done[sentence] = [self._in_fragments(sentence, parts)]
        return [done[sentence] for sentence in sentences]

    def _with_lost_names(self, sentences: Sequence[str], done: Mapping[str, Sequence[str]]) -> dict[str, _Kept]:
        """Return the names that the model neither copied nor translated, by sentence, to keep them."""
        missing: dict[str, list[tuple[int, int]]] = {}
        for sentence in sentences:
            spans = names.candidates(sentence, self._source) if names.are_copied(sentence, done[sentence][0]) else []
            lost = names.absent([sentence[start:end] for start, end in spans], done[sentence][0])
            if lost:
                missing[sentence] = [(start, end) for start, end in spans if sentence[start:end] in lost]
        words = list({sentence[start:end] for sentence, spans in missing.items() for start, end in spans})
        alone = dict(zip(words, self._translator.translate(words), strict=True)) if words else {}
        found = {
            sentence: [
                Replacement(start, end, sentence[start:end])
                for start, end in spans
                if not names.translated(alone[sentence[start:end]], done[sentence][0])
            ]
            for sentence, spans in missing.items()
        }
        return {sentence: kept for sentence, kept in found.items() if kept}

    def _masked(self, kept: Mapping[str, _Kept], count: int) -> dict[str, list[str]]:
        """Translate with placeholders; sentences in which none came through are absent."""

        def unmask(text: str, signs: Sequence[str], choice: str) -> str | None:
            values = {sign: one.written for sign, one in zip(signs, kept[text], strict=True)}
            return placeholders.unmasked(choice, values)

        return placeholders.translate_masked(
            {text: _masks(text, parts) for text, parts in kept.items()},
            lambda texts: self._translator.alternatives(texts, count=max(count, placeholders.CHOICES)),
            unmask,
            count=count,
        )

    def _in_fragments(self, text: str, kept: _Kept) -> str:
        starts = [0, *(one.end for one in kept)]
        ends = [*(one.start for one in kept), len(text)]
        fragments = [text[start:end] for start, end in zip(starts, ends, strict=True)]
        wanted = [fragment.strip() for fragment in fragments if has_letter(fragment)]
        found = dict(zip(wanted, self._translator.translate(wanted), strict=True)) if wanted else {}
        log.info("translated_around_kept", count=len(kept))
        parts: list[str] = []
        for number, fragment in enumerate(fragments):
            core = fragment.strip()
            if core in found:
                first, last = number == 0, number == len(fragments) - 1
                lead, trail = fragment[: len(fragment) - len(fragment.lstrip())], fragment[len(fragment.rstrip()) :]
                fragment = lead + clauses.inside(core, found[core], first=first, last=last) + trail
            parts += [fragment, *(one.written for one in kept[number : number + 1])]
        return "".join(parts).strip()


def _masks(text: str, kept: _Kept) -> list[placeholders.Masked]:
    # A model given placeholders alone would only make something up.
    if not has_letter(replaced(text, (one._replace(written="") for one in kept))):
        return []
    spans = [(one.start, one.end) for one in kept]
    return placeholders.masks(text, spans, (placeholders.LETTERS, placeholders.DIGITS))
