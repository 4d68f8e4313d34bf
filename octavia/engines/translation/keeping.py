"""Translation that keeps what is no matter of it: addresses, files, handles, tags, names, and a glossary's terms."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import structlog

from octavia.engines.characters import has_letter
from octavia.engines.translation import clauses, names
from octavia.engines.translation.glossary import Glossary, Kept
from octavia.engines.translation.stand_ins import DIGITS, LETTERS, masks, replaced, unmasked
from octavia.engines.types import Translator

log = structlog.get_logger()

_CHOICES = 4
"""Translations looked through for one that has kept everything."""


class KeepingTranslator:
    """Another translator, whose translations keep literals as they are and write terms as a glossary has them.

    Something that models copy stands in for each. Where none of that comes through, what is between them is translated
    alone: the grammar may suffer, what is to be kept does not.

    Names are the model's to copy or to translate; those that it makes something else of are tried with stand-ins too.

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
        """One to ``count`` different translations of each sentence, the likeliest first."""
        return self._sentences(sentences, count, lambda texts: self._translator.alternatives(texts, count=count))

    def _sentences(
        self, sentences: Sequence[str], count: int, plainly: Callable[[Sequence[str]], list[list[str]]]
    ) -> list[list[str]]:
        kept = {sentence: self._glossary.kept(sentence) for sentence in sentences}
        plain = [sentence for sentence, spans in kept.items() if not spans]
        done = dict(zip(plain, plainly(plain), strict=True))
        done |= self._masked(self._with_lost_names(plain, done), count)
        waiting = [_Waiting.of(sentence, spans) for sentence, spans in kept.items() if spans]
        done |= self._masked(waiting, count)
        for one in waiting:
            if one.sentence not in done:
                done[one.sentence] = [self._in_parts(one)]
        return [done[sentence] for sentence in sentences]

    def _with_lost_names(self, sentences: Sequence[str], done: Mapping[str, Sequence[str]]) -> list["_Waiting"]:
        """The sentences whose names the model neither copied nor translated, those names to be kept."""
        missing: dict[str, list[tuple[int, int]]] = {}
        for sentence in sentences:
            spans = names.candidates(sentence, self._source) if names.are_copied(sentence, done[sentence][0]) else []
            lost = names.absent([sentence[start:end] for start, end in spans], done[sentence][0])
            if lost:
                missing[sentence] = [(start, end) for start, end in spans if sentence[start:end] in lost]
        words = list({sentence[start:end] for sentence, spans in missing.items() for start, end in spans})
        alone = dict(zip(words, self._translator.translate(words), strict=True)) if words else {}
        found = []
        for sentence, spans in missing.items():
            kept = [
                Kept(start, end, sentence[start:end])
                for start, end in spans
                if not names.translated(alone[sentence[start:end]], done[sentence][0])
            ]
            if kept:
                found.append(_Waiting.of(sentence, kept))
        return found

    def _masked(self, waiting: Sequence["_Waiting"], count: int) -> dict[str, list[str]]:
        """Translate with signs for what is to be kept; sentences in which none came through are absent."""
        done: dict[str, list[str]] = {}
        while trying := [one for one in waiting if one.sentence not in done and one.masks]:
            tried = [one.masks.pop(0) for one in trying]
            answers = self._translator.alternatives([masked for masked, _ in tried], count=max(count, _CHOICES))
            for one, (_, signs), choices in zip(trying, tried, answers, strict=True):
                values = dict(zip(signs, one.written, strict=True))
                written = [text for choice in choices if (text := unmasked(choice, values)) is not None]
                if written:
                    done[one.sentence] = written[:count]
        return done

    def _in_parts(self, one: "_Waiting") -> str:
        fragments = one.fragments
        wanted = [fragment.strip() for fragment in fragments if has_letter(fragment)]
        found = dict(zip(wanted, self._translator.translate(wanted), strict=True)) if wanted else {}
        log.info("translated_around_kept", count=len(one.written))
        parts: list[str] = []
        for number, fragment in enumerate(fragments):
            core = fragment.strip()
            if core in found:
                first, last = number == 0, number == len(fragments) - 1
                lead, trail = fragment[: len(fragment) - len(fragment.lstrip())], fragment[len(fragment.rstrip()) :]
                fragment = lead + clauses.inside(core, found[core], first=first, last=last) + trail
            parts += [fragment, *one.written[number : number + 1]]
        return "".join(parts).strip()


class _Waiting(NamedTuple):
    """A sentence with what it must keep, and the ways of masking that which are still to be tried."""

    sentence: str
    spans: list[tuple[int, int]]
    written: list[str]
    masks: list[tuple[str, tuple[str, ...]]]

    @classmethod
    def of(cls, sentence: str, kept: Sequence[Kept]) -> "_Waiting":
        spans = [(one.start, one.end) for one in kept]
        # Where nothing else is said there is nothing to translate, and a model would only make something up.
        said = has_letter(replaced(sentence, spans, [""] * len(spans)))
        found = masks(sentence, spans, (LETTERS, DIGITS)) if said else []
        return cls(sentence, spans, [one.written for one in kept], found)

    @property
    def fragments(self) -> list[str]:
        """What stands before, between and after what is kept."""
        starts = [0, *(end for _, end in self.spans)]
        ends = [*(start for start, _ in self.spans), len(self.sentence)]
        return [self.sentence[start:end] for start, end in zip(starts, ends, strict=True)]
