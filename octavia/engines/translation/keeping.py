"""A translator that leaves addresses, names, signs that no token spells, and a glossary's terms unchanged."""

import re
from collections.abc import Callable, Mapping, Sequence

import structlog

from octavia.engines.characters import has_letter, printable
from octavia.engines.replacements import Replacement, apart, replaced
from octavia.engines.translation import clauses, names, numbers, placeholders, spelling
from octavia.engines.translation.glossary import Glossary
from octavia.engines.types import Translator

_Kept = Sequence[Replacement]
"""The parts of a sentence that must be written as given, in order."""

_Translate = Callable[[Sequence[str]], list[list[str]]]
"""Returns one or several translations of each sentence of a batch."""

_PUNCTUATION = re.compile(r"[,;:.!?]+(?!\d)")

log = structlog.get_logger()


class KeepingTranslator:
    """A translator around another: literals stay as they are, terms are written as the glossary has them.

    Words and signs that the model cannot spell are kept like literals. Each part to keep is masked by a placeholder.
    Where no placeholder comes through, the text between them is translated alone: the grammar may suffer, but nothing
    is lost. Emoji and other pictures always part a sentence so, because they have no place in its grammar.

    The model copies or translates names and some signs itself; only those that it garbles or loses are masked.

    Parameters:
      source: The sentences' language, ISO 639-1.
    """

    def __init__(self, translator: Translator, glossary: Glossary, *, source: str) -> None:
        self._translator = translator
        self._source = source
        self._glossary = glossary

    def reads(self, text: str) -> bool:
        """Return True: what the model cannot read is kept."""
        return True

    def writes(self, text: str) -> bool:
        """Return True: what the model cannot write is kept."""
        return True

    def translate(self, sentences: Sequence[str], *, beam_size: int = 2) -> list[str]:
        """Translate a batch; the answer has the length and order of ``sentences``."""

        def plainly(texts: Sequence[str]) -> list[list[str]]:
            return [[found] for found in self._translator.translate(texts, beam_size=beam_size)]

        return [found[0] for found in self._sentences(sentences, 1, plainly)]

    def alternatives(self, sentences: Sequence[str], *, count: int) -> list[list[str]]:
        """Return one to ``count`` different translations of each sentence, the likeliest first."""
        return self._sentences(sentences, count, lambda texts: self._translator.alternatives(texts, count=count))

    def _sentences(self, sentences: Sequence[str], count: int, plainly: _Translate) -> list[list[str]]:
        """Translate what stands between pictures, and put these back."""
        parted = {sentence: _parted(printable(sentence), self._marks(printable(sentence))) for sentence in sentences}
        pieces = list(
            {piece.strip(): None for parts in parted.values() for piece in parts[::2] if any(map(str.isalnum, piece))}
        )
        done = dict(zip(pieces, self._pieces(pieces, count, plainly), strict=True))
        return [_joined(parted[sentence], done) for sentence in sentences]

    def _marks(self, sentence: str) -> list[Replacement]:
        kept = self._glossary.kept(sentence)
        spans = spelling.marks(sentence, self._translator, kept)
        return [Replacement(*span, sentence[slice(*span)]) for span in spans]

    def _pieces(self, sentences: Sequence[str], count: int, plainly: _Translate) -> list[list[str]]:
        kept = {sentence: self._kept(sentence) for sentence in sentences}
        plain = [sentence for sentence, parts in kept.items() if not parts]
        done = dict(zip(plain, plainly(plain), strict=True))
        keeping = {sentence: parts for sentence, parts in kept.items() if parts}
        done |= self._masked(keeping, count)
        lost = self._lost({sentence: kept[sentence] for sentence in done}, done)
        keeping |= {sentence: sorted([*kept[sentence], *parts]) for sentence, parts in lost.items()}
        done |= self._masked({sentence: keeping[sentence] for sentence in lost}, count)
        for sentence in lost:
            if spelling.lost(sentence, done[sentence][0], self._translator):
                del done[sentence]
        for sentence, parts in keeping.items():
            if sentence not in done:
                log.info("translated_around_kept", count=len(parts))
                done[sentence] = [self._in_fragments(sentence, parts)]
        return [done[sentence] for sentence in sentences]

    def _kept(self, sentence: str) -> _Kept:
        """Return the literals, the glossary's terms and what the model cannot read."""
        kept = self._glossary.kept(sentence)
        spans = spelling.unread(sentence, self._translator, kept)
        unread = [sentence[slice(*span)] for span in spans]
        bare = list({number for word in unread if not has_letter(word) for number in numbers.numbers(word)})
        written = dict(zip(bare, self._translator.translate(bare), strict=True)) if bare else {}
        words = (
            Replacement(*span, word if has_letter(word) else numbers.rewritten(word, written))
            for span, word in zip(spans, unread, strict=True)
        )
        return sorted([*kept, *words])

    def _lost(self, kept: Mapping[str, _Kept], done: Mapping[str, Sequence[str]]) -> dict[str, list[Replacement]]:
        """Return, by sentence, the names that the model neither copied nor translated, and the signs that it lost."""
        missing: dict[str, list[tuple[int, int]]] = {}
        found: dict[str, list[Replacement]] = {}
        for sentence, parts in kept.items():
            translation = done[sentence][0]
            signs = spelling.lost(sentence, translation, self._translator, parts)
            found[sentence] = [Replacement(*span, sentence[slice(*span)]) for span in signs]
            spans = names.candidates(sentence, self._source) if names.are_copied(sentence, translation) else []
            absent = names.absent((sentence[start:end] for start, end in spans), translation)
            missing[sentence] = [(start, end) for start, end in spans if sentence[start:end] in absent]
        words = list({sentence[start:end] for sentence, spans in missing.items() for start, end in spans})
        alone = dict(zip(words, self._translator.translate(words), strict=True)) if words else {}
        meant = {word: names.roots(translation) for word, translation in alone.items()}
        for sentence, spans in missing.items():
            roots = names.roots(done[sentence][0]) if spans else frozenset()
            garbled = (
                Replacement(start, end, sentence[start:end])
                for start, end in spans
                if roots.isdisjoint(meant[sentence[start:end]])
            )
            found[sentence] += apart(garbled, [*kept[sentence], *found[sentence]])
        return {sentence: parts for sentence, parts in found.items() if parts}

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
        parts = _parted(text, kept)
        wanted = [piece.strip() for piece in parts[::2] if has_letter(piece)]
        found = self._translator.translate(wanted) if wanted else []
        return _joined(parts, {piece: [translation] for piece, translation in zip(wanted, found, strict=True)})[0]


def _parted(text: str, kept: _Kept) -> list[str]:
    """Cut a text at the parts to keep: its pieces, with what is written between them in the odd places.

    Punctuation right after a part to keep stays with that part.
    """
    parts: list[str] = []
    done = 0
    for start, end, written in kept:
        after = _PUNCTUATION.match(text, end)
        parts += [text[done:start], written + (after[0] if after else "")]
        done = after.end() if after else end
    return [*parts, text[done:]]


def _joined(parts: Sequence[str], done: Mapping[str, Sequence[str]]) -> list[str]:
    """Put the translations of the pieces in their places, in as many ways as there are; pieces without one stay."""
    ways = max((len(done.get(piece.strip(), ())) for piece in parts[::2]), default=0)
    found = []
    for way in range(max(ways, 1)):
        written = list(parts)
        for place in range(0, len(parts), 2):
            core = parts[place].strip()
            if choices := done.get(core):
                ends = place == len(parts) - 1 or core.endswith(clauses.STOPS)
                inside = clauses.inside(core, choices[min(way, len(choices) - 1)], first=place == 0, last=ends)
                written[place] = parts[place].replace(core, inside)
        found.append("".join(written).strip())
    return list(dict.fromkeys(found))


def _masks(text: str, kept: _Kept) -> list[placeholders.Masked]:
    # A model given placeholders alone would only make something up.
    if not has_letter(replaced(text, (one._replace(written="") for one in kept))):
        return []
    spans = [(one.start, one.end) for one in kept]
    return placeholders.masks(text, spans, (placeholders.LETTERS, placeholders.DIGITS))
