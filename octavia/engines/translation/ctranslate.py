"""Translation with CTranslate2: sentences in batches, long ones in clauses, with their numbers checked."""

import heapq
from collections.abc import Sequence
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

import ctranslate2
import structlog

from octavia.engines.characters import has_letter, plain
from octavia.engines.failures import damaged
from octavia.engines.repetition import loops
from octavia.engines.translation import clauses, packages
from octavia.engines.translation.numbers import garbled, masks, numbers, restored, survive, unmasked
from octavia.engines.translation.placeholders import CHOICES, translate_masked
from octavia.engines.translation.spelling import REPLACEMENT

log = structlog.get_logger()

_LONGEST_OUTPUT = 256
"""The most tokens of one piece's translation; a model that has not ended by then will not end."""

_BATCH_TOKENS = 2048
_FARTHEST = 3.0
"""Margin by which an alternative may be less likely than the best translation, in nats; beyond it small models err."""


class CTranslate2Translator:
    """One CTranslate2 model between two languages; safe to share between threads.

    Parameters:
      path: The folder or archive of a model, in any layout that ``packages`` knows.
      source, target: ISO 639-1 codes.
      threads: Cores for one batch.

    Raises:
      ModelError: ``model_damaged``, or ``unsupported_pair`` if a multilingual model lacks a language.
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
            raise damaged(f"The translation model {path.name} cannot be loaded: {error}") from error

    def reads(self, text: str) -> bool:
        """Return True if the source vocabulary spells ``text``, a sign or a word, without an unknown token."""
        return self._tokens.reads(text)

    def writes(self, text: str) -> bool:
        """Return True if the target vocabulary spells ``text`` exactly, in tokens other than single bytes."""
        return self._tokens.writes(text)

    def translate(self, sentences: Sequence[str], *, beam_size: int = 2) -> list[str]:
        """Translate a batch; the answer has the length and order of ``sentences``.

        A sentence without a letter ("1984.", "...", "") is not translated; its numbers are written as in the target.
        """
        return [found[0] for found in self._sentences(sentences, beam_size, 1)]

    def alternatives(self, sentences: Sequence[str], *, count: int) -> list[list[str]]:
        """Return one to ``count`` different translations of each sentence, the likeliest first."""
        return self._sentences(sentences, count, count)

    def _sentences(self, sentences: Sequence[str], beam_size: int, count: int) -> list[list[str]]:
        pieces = [clauses.split(plain(sentence), language=self.source) for sentence in sentences]
        wanted = list(dict.fromkeys(piece for split in pieces for piece in split if has_letter(piece)))
        done = self._pieces(wanted, beam_size, count)
        for piece in {piece for split in pieces for piece in split} - done.keys():
            done[piece] = [_Choice(restored(piece, piece, self.source, self.target))]
        return [_joined(split, [done[piece] for piece in split], count) for split in pieces]

    def _pieces(self, texts: Sequence[str], beam_size: int, count: int) -> dict[str, list["_Choice"]]:
        """Return up to ``count`` translations of each piece, the best first, those with the piece's numbers if any."""
        numbered = [text for text in texts if numbers(text)]
        others = [text for text in texts if not numbers(text)]
        done = dict(zip(others, self._hypotheses(others, beam_size, count), strict=True))
        first: dict[str, _Choice] = {}
        examined = max(count, CHOICES)
        for text, choices in zip(numbered, self._hypotheses(numbered, beam_size, examined), strict=True):
            kept = [choice for choice in choices if survive(text, choice.text)][:count]
            if not kept and garbled(text, choices[0].text) == 1:
                kept = choices[:1]
            if kept:
                done[text] = [self._restored(text, choice) for choice in kept]
            else:
                first[text] = choices[0]
        done |= translate_masked(
            {text: masks(text) for text in first},
            lambda masked: self._hypotheses(masked, beam_size, examined),
            self._unmasked,
            count=count,
        )
        for text in first.keys() - done.keys():
            log.info("numbers_not_kept", count=len(numbers(text)))
            done[text] = [self._restored(text, first[text])]
        return {
            text: [choice for choice in choices if choices[0].logprob - choice.logprob <= _FARTHEST]
            for text, choices in done.items()
        }

    def _unmasked(self, text: str, signs: Sequence[str], choice: "_Choice") -> "_Choice | None":
        whole = unmasked(choice.text, text, signs, self.source, self.target)
        return None if whole is None else choice._replace(text=whole)

    def _restored(self, text: str, choice: "_Choice") -> "_Choice":
        return choice._replace(text=restored(text, choice.text, self.source, self.target))

    def _hypotheses(self, texts: Sequence[str], beam_size: int, count: int) -> list[list["_Choice"]]:
        """Return up to ``count`` of the likeliest translations of each text, the best first, without loops.

        If the best one loops, the text is translated again; that one is kept even if it loops as well. Where single
        bytes make no character, the text is translated again without them.
        """
        found = self._decode(texts, beam_size, count)
        broken = [place for place, choices in enumerate(found) if any(REPLACEMENT in choice.text for choice in choices)]
        bytewise = [[token] for token in self._tokens.byte_tokens]
        whole = self._decode([texts[place] for place in broken], beam_size, count, suppress_sequences=bytewise)
        for place, choices in zip(broken, whole, strict=True):
            found[place] = choices
        looping = [place for place, text in enumerate(texts) if loops(found[place][0].text) and not loops(text)]
        again = self._decode([texts[place] for place in looping], beam_size, count, no_repeat_ngram_size=3)
        for place, choices in zip(looping, again, strict=True):
            found[place] = choices
        clean = [
            [choice._replace(text=choice.text.replace(REPLACEMENT, "")) for choice in choices] for choices in found
        ]
        return [
            [best, *(choice for choice in others if choice.text and (loops(text) or not loops(choice.text)))]
            for text, (best, *others) in zip(texts, clean, strict=True)
        ]

    def _decode(
        self,
        texts: Sequence[str],
        beam_size: int,
        count: int,
        *,
        no_repeat_ngram_size: int = 0,
        suppress_sequences: list[list[str]] | None = None,
    ) -> list[list["_Choice"]]:
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
            suppress_sequences=suppress_sequences or None,
            max_decoding_length=_LONGEST_OUTPUT,
            max_batch_size=_BATCH_TOKENS,
            batch_type="tokens",
            disable_unk=True,
            return_scores=True,
        )
        return [
            [
                _Choice(self._tokens.decode(tokens), score, score * len(tokens))
                for tokens, score in zip(result.hypotheses, result.scores, strict=True)
            ]
            for result in results
        ]


class _Choice(NamedTuple):
    """One translation of a piece, with its log-probability per token and as a whole."""

    text: str
    score: float = 0.0
    logprob: float = 0.0


def _joined(pieces: Sequence[str], choices: Sequence[Sequence[_Choice]], count: int) -> list[str]:
    """Join one choice for each piece into a sentence, in the ``count`` likeliest ways; no two sentences are equal."""
    ways: list[tuple[tuple[str, ...], float]] = [((), 0.0)]
    for options in choices:
        longer = ((*texts, option.text) for texts, _ in ways for option in options)
        scores = (score + option.score for _, score in ways for option in options)
        ways = heapq.nlargest(count, zip(longer, scores, strict=True), key=itemgetter(1))
    return list(dict.fromkeys(clauses.join(pieces, texts) for texts, _ in ways))
