"""Kokoro: many voices in several languages; an optional engine besides Piper."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octavia.engines.spoken import speakable
from octavia.engines.types import Audio, Samples
from octavia.engines.voices.convolutions.derived import sped_up
from octavia.engines.voices.session import Session
from octavia.engines.voices.silence import joined, trim
from octavia.engines.voices.tempo import stretch
from octavia.errors import ModelError

_RATE = 24_000
_STYLE = 256
"""Length of a style vector; a voice has one vector for each length of text."""

_LONGEST = 200
"""The most phonemes at once. The model takes 510, but memory grows with the square: 10 s need 200 MB, 24 s 600 MB."""

_ESPEAK = {"en": "en-us", "es": "es", "fr": "fr-fr", "hi": "hi", "it": "it", "pt": "pt-br"}
_TIE = "^"
# These have one sign each in the alphabet that Kokoro was trained on.
_DIPHTHONGS = {"a^ɪ": "I", "a^ʊ": "W", "e^ɪ": "A", "o^ʊ": "O", "ə^ʊ": "Q", "ɔ^ɪ": "Y"}
_AFFRICATES = {"d^z": "ʣ", "d^ʒ": "ʤ", "t^s": "ʦ", "t^ʃ": "ʧ"}


class Kokoro:
    """One of Kokoro's voices in one language; safe to share between threads.

    Parameters:
      path: A folder with one ``.onnx`` file and ``voices/NAME.bin`` (float32, shape ``(-1, 1, 256)``).
      voice: NAME, such as ``ef_dora``.
      language: The text's language, ISO 639-1.
      threads: Cores for one sentence.

    Raises:
      ModelError: ``engine_missing`` without the package, ``voice_unavailable``, ``voice_language`` or
        ``model_damaged``.
    """

    rate = _RATE

    def __init__(self, path: Path, *, voice: str, language: str, threads: int) -> None:
        if language not in _ESPEAK:
            raise ModelError(
                f"Kokoro does not speak '{language}'.",
                code="voice_language",
                hint=f"It speaks {', '.join(sorted(_ESPEAK))}. See octavia models list --long.",
            )
        accent = "en-gb" if language == "en" and voice.startswith("b") else _ESPEAK[language]
        self._language = language
        self._phonemes = _Phonemes(accent)
        self._styles = _styles(path / "voices", voice)
        self._session = Session(sped_up(_model_file(path)), threads=threads)
        # Other exports of the same model name it otherwise.
        self._tokens_input = "input_ids" if "input_ids" in self._session.inputs else "tokens"

    def synthesize(self, text: str, *, speed: float = 1.0) -> Audio:
        """Speak ``text``: mono at 24 kHz, up to 50 ms of silence at either end.

        Equal text and speed give equal samples. Text without anything to say gives a pause.
        """
        said = speakable(text, self._language)
        batches = self._phonemes.tokens(said) if said else []
        # The model itself rounds phonemes to whole frames: asked for 1.4 times the speed it gives 1.7, slurred.
        sentences = [stretch(trim(self._speak(tokens), _RATE), _RATE, speed) for tokens in batches]
        return joined(sentences, _RATE)

    def _speak(self, tokens: list[int]) -> Samples:
        style = self._styles[min(len(tokens), len(self._styles)) - 1]
        feeds = {
            self._tokens_input: np.array([[0, *tokens, 0]], np.int64),
            "style": style,
            "speed": np.ones(1, np.float32),
        }
        return np.asarray(self._session.run(None, feeds)[0], np.float32).ravel()


class _Phonemes:
    """Text to Kokoro's phoneme tokens with espeak."""

    def __init__(self, accent: str) -> None:
        try:
            from kokoro_onnx.chunker import split_phonemes
            from kokoro_onnx.tokenizer import Tokenizer
            from phonemizer.backend import EspeakBackend
        except ImportError as error:
            raise ModelError(
                f"The voice engine Kokoro is not installed: {error}",
                code="engine_missing",
                hint="pip install 'octavia[kokoro]'",
            ) from error
        self._split = split_phonemes
        # First, because it tells phonemizer where espeak is.
        self._tokenizer: Any = Tokenizer()
        self._espeak: Any = EspeakBackend(
            accent, preserve_punctuation=True, with_stress=True, tie=_TIE, language_switch="remove-flags"
        )
        # espeak keeps the text it works on in globals.
        self._lock = threading.Lock()

    def tokens(self, text: str) -> list[list[int]]:
        """Return batches of at most ``_LONGEST`` tokens, cut at punctuation if there is any."""
        with self._lock:
            phonemes = "".join(self._espeak.phonemize([text]))
        for pair, sign in (_DIPHTHONGS | _AFFRICATES).items():
            phonemes = phonemes.replace(pair, sign)
        known = self._tokenizer.known(phonemes.replace(_TIE, ""))
        batches = (self._tokenizer.tokenize(batch) for batch in self._split(known, _LONGEST))
        return [batch for batch in batches if batch]


def _model_file(path: Path) -> Path:
    models = sorted(path.glob("*.onnx"))
    if len(models) != 1:
        raise _damaged(path, f"holds {len(models)} .onnx files instead of one")
    return models[0]


def _styles(folder: Path, voice: str) -> NDArray[np.float32]:
    file = folder / f"{voice}.bin"
    if file.parent != folder or not file.is_file():
        raise ModelError(
            f"Kokoro has no voice '{voice}'.", code="voice_unavailable", hint="See octavia models list --long."
        )
    content = np.fromfile(file, "<f4")
    if not content.size or content.size % _STYLE:
        raise _damaged(file, "is not a voice")
    return content.reshape(-1, 1, _STYLE)


def _damaged(path: Path, what: str) -> ModelError:
    return ModelError(f"{path.name} {what}.", code="model_damaged", hint="Pull it again: octavia models pull kokoro")
