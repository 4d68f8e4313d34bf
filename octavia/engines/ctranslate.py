"""Translation with CTranslate2: whole sentences in batches, numbers guarded, long sentences in clauses."""

from collections.abc import Sequence
from pathlib import Path

import ctranslate2
import structlog

from octavia.engines import clauses, packages
from octavia.engines.numbers import garbled, masks, numbers, restored, survive, unmasked
from octavia.engines.repetition import loops
from octavia.engines.text import has_letter, plain
from octavia.engines.types import Translator
from octavia.errors import ModelError

log = structlog.get_logger()

_LONGEST_OUTPUT = 256
"""Tokens of one piece's translation; a model that has not ended by then will not."""

_BATCH_TOKENS = 2048
_CHOICES = 4
"""Hypotheses looked through for one that has kept the numbers."""


class CTranslate2Translator:
    """One CTranslate2 model between two languages; safe to share between threads.

    Parameters:
      path: Folder or archive of any layout that ``packages`` knows.
      source, target: ISO 639-1 codes.
      threads: Cores that one batch may use.

    Raises:
      ModelError: ``model_damaged``, or ``unsupported_pair`` when a multilingual model lacks a language.
    """

    def __init__(self, path: Path, *, source: str, target: str, threads: int) -> None:
        package = packages.find(path, source=source, target=target)
        self.source = source
        self.target = target
        self._tokens = package.tokens
        try:
            self._model = ctranslate2.Translator(
                package.location,
                device="cpu",
                compute_type="int8",
                intra_threads=threads,
                inter_threads=1,
                files=package.files,
            )
        except (RuntimeError, ValueError) as error:
            raise ModelError(
                f"The translation model {path.name} cannot be loaded: {error}",
                code="model_damaged",
                hint="Pull or import it again: octavia models pull, octavia models import.",
            ) from error

    def translate(self, sentences: Sequence[str], *, beam_size: int = 2) -> list[str]:
        """Translate a batch; the answer has the length and order of ``sentences``.

        A sentence without a letter ("1984.", "...", "") is not translated; its numbers are written as in the target.
        """
        pieces = [clauses.split(plain(sentence), language=self.source) for sentence in sentences]
        wanted = list(dict.fromkeys(piece for split in pieces for piece in split if has_letter(piece)))
        done = dict(zip(wanted, self._pieces(wanted, beam_size), strict=True))
        for piece in {piece for split in pieces for piece in split} - done.keys():
            done[piece] = restored(piece, piece, self.source, self.target)
        return [clauses.join(split, [done[piece] for piece in split]) for split in pieces]

    def _pieces(self, texts: Sequence[str], beam_size: int) -> list[str]:
        done: dict[str, str] = {}
        numbered = [text for text in texts if numbers(text)]
        others = [text for text in texts if not numbers(text)]
        for text, choices in zip(others, self._hypotheses(others, beam_size, 1), strict=True):
            done[text] = choices[0]
        first: dict[str, str] = {}
        for text, choices in zip(numbered, self._hypotheses(numbered, beam_size, _CHOICES), strict=True):
            kept = next((choice for choice in choices if survive(text, choice)), None)
            if kept is None and garbled(text, choices[0]) == 1:
                kept = choices[0]
            if kept is None:
                first[text] = choices[0]
            else:
                done[text] = restored(text, kept, self.source, self.target)
        done |= self._with_stand_ins(list(first), beam_size)
        for text in first.keys() - done.keys():
            log.info("numbers_not_kept", count=len(numbers(text)))
            done[text] = restored(text, first[text], self.source, self.target)
        return [done[text] for text in texts]

    def _with_stand_ins(self, texts: Sequence[str], beam_size: int) -> dict[str, str]:
        """Translate with something in the numbers' places that comes through; texts where nothing does are absent."""
        done: dict[str, str] = {}
        queue = {text: masks(text) for text in texts}
        while queue := {text: options for text, options in queue.items() if options and text not in done}:
            tried = {text: options.pop(0) for text, options in queue.items()}
            answers = self._hypotheses([masked for masked, _ in tried.values()], beam_size, _CHOICES)
            for (text, (_, stand_ins)), choices in zip(tried.items(), answers, strict=True):
                written = (unmasked(choice, text, stand_ins, self.source, self.target) for choice in choices)
                kept = next((choice for choice in written if choice is not None), None)
                if kept is not None:
                    done[text] = kept
        return done

    def _hypotheses(self, texts: Sequence[str], beam_size: int, count: int) -> list[list[str]]:
        """The ``count`` likeliest translations of each text, the best first; a looping best one is tried again."""
        found = self._decode(texts, beam_size, count)
        looping = [place for place, text in enumerate(texts) if loops(found[place][0]) and not loops(text)]
        again = self._decode([texts[place] for place in looping], beam_size, count, no_repeat_ngram_size=3)
        for place, choices in zip(looping, again, strict=True):
            found[place] = choices
        return found

    def _decode(
        self, texts: Sequence[str], beam_size: int, count: int, *, no_repeat_ngram_size: int = 0
    ) -> list[list[str]]:
        if not texts:
            return []
        prefix = list(self._tokens.prefix)
        # With a maximum, CTranslate2 sorts by length before it makes batches, so short ones do not wait for long ones.
        results = self._model.translate_batch(
            [self._tokens.encode(text) for text in texts],
            target_prefix=[prefix] * len(texts) if prefix else None,
            beam_size=max(beam_size, count),
            num_hypotheses=count,
            no_repeat_ngram_size=no_repeat_ngram_size,
            max_decoding_length=_LONGEST_OUTPUT,
            max_batch_size=_BATCH_TOKENS,
            batch_type="tokens",
            disable_unk=True,
        )
        return [[self._tokens.decode(tokens) for tokens in result.hypotheses] for result in results]


class ChainTranslator:
    """Translation through other languages: each translator takes what the one before gave."""

    def __init__(self, legs: Sequence[Translator]) -> None:
        self._legs = tuple(legs)

    def translate(self, sentences: Sequence[str], *, beam_size: int = 2) -> list[str]:
        """Translate a batch; the answer has the length and order of ``sentences``."""
        texts = list(sentences)
        for leg in self._legs:
            texts = leg.translate(texts, beam_size=beam_size)
        return texts
