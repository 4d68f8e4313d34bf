"""Speech recognition with faster-whisper."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from faster_whisper import WhisperModel
from faster_whisper.vad import VadOptions, get_speech_timestamps

from octavia.engines.failures import damaged
from octavia.engines.recognition.guards import COMPRESSION, guarded
from octavia.engines.recognition.word_times import UNKNOWN
from octavia.engines.types import SPEECH_RATE, Detection, Samples
from octavia.errors import InputError
from octavia.text.words import Segment, Word

_FILES = ("config.json", "model.bin", "tokenizer.json")
"""Without tokenizer.json, faster-whisper would fetch one from the network."""

_VAD = VadOptions(min_silence_duration_ms=1000, speech_pad_ms=300)
_TEMPERATURES = [0.0, 0.4, 0.8]
"""Tried in turn when a window fails its guards; two fallbacks bound the time that noise can cost."""

_SHORTEST_REST = 0.3
"""Seconds of voice in a last window: from less, padded with silence, Whisper makes up a "Thank you." or "Bye!"."""

_WINDOWS = 3
"""The most windows of 30 s in which the language is detected."""


class Whisper:
    """One Whisper model in CTranslate2's format, int8; safe to share between threads.

    Parameters:
      path: The model's folder; nothing is fetched from the network.
      threads: Cores for one window of 30 s.

    Raises ``ModelError`` (``model_damaged``).
    """

    def __init__(self, path: Path, *, threads: int) -> None:
        missing = [name for name in _FILES if not (path / name).is_file()]
        if missing:
            raise damaged(f"The speech model {path.name} lacks {', '.join(missing)}.")
        try:
            self._model = WhisperModel(
                str(path), device="cpu", compute_type="int8", cpu_threads=threads, local_files_only=True
            )
        except Exception as error:  # tokenizers raises bare Exception, CTranslate2 RuntimeError
            raise damaged(f"The speech model {path.name} cannot be loaded: {error}.") from error
        self.multilingual = bool(self._model.model.is_multilingual)

    def transcribe(
        self, samples: Samples, *, language: str, beam_size: int = 5, prompt: str | None = None
    ) -> Iterator[Segment]:
        """Yield segments in order, each as soon as it is recognised; silence and noise yield none.

        Every segment has words, in order and within it; words without times share the segment by length. ``prompt``
        (names, spelling) is given to every window, not only to the first.

        Raises ``InputError`` (``unknown_language``) if the model does not know ``language``.
        """
        if language not in self._model.supported_languages:
            raise InputError(
                f"The speech model does not know the language '{language}'.",
                code="unknown_language",
                hint="Choose a source_language that it recognises: octavia models list",
                field="source_language",
            )
        found, info = self._model.transcribe(
            samples,
            language=language,
            beam_size=beam_size,
            temperature=_TEMPERATURES,
            compression_ratio_threshold=COMPRESSION,
            # With the previous text as context, one hallucination causes the next.
            condition_on_previous_text=False,
            hotwords=prompt,
            word_timestamps=True,
            vad_filter=True,
            vad_parameters=_VAD,
        )
        heard = (one for one in found if not self._in_rest(one, info.duration_after_vad))
        yield from guarded(map(_segment, heard), len(samples) / SPEECH_RATE)

    def _in_rest(self, found: Any, voiced: float) -> bool:
        """Return True if a segment is of a last window with less than a word of voice left in it."""
        return bool(found.seek > 0 and voiced - found.seek / self._model.frames_per_second < _SHORTEST_REST)

    def detect(self, samples: Samples) -> Detection:
        """Detect the spoken language in up to three 30 s windows of voice, spread over ``samples``.

        The probability is the mean over the windows. Without any voice, and with an English-only model, the answer is
        ``en`` with probability 0.
        """
        windows = self._voiced_windows(samples) if self.multilingual else []
        if not windows:
            return Detection("en", 0.0)
        sums: dict[str, float] = {}
        for window in windows:
            _, _, probabilities = self._model.detect_language(window)
            for language, probability in probabilities:
                sums[language] = sums.get(language, 0.0) + float(probability)
        best = max(sums, key=lambda language: sums[language])
        return Detection(best, sums[best] / len(windows))

    def _voiced_windows(self, samples: Samples) -> list[Samples]:
        spoken = get_speech_timestamps(samples, _VAD)
        if not spoken:
            return []
        voice = np.concatenate([samples[part["start"] : part["end"]] for part in spoken])
        size = self._model.feature_extractor.n_samples
        windows = [voice[start : start + size] for start in range(0, len(voice), size)]
        picked = np.linspace(0, len(windows) - 1, min(_WINDOWS, len(windows)))
        return [windows[int(place)] for place in picked]


def _segment(found: Any) -> Segment:
    """Convert a segment of faster-whisper; its numbers are numpy's, which JSON does not take."""
    words = tuple(
        Word(_time(word.start), _time(word.end), word.word, float(word.probability)) for word in found.words or ()
    )
    start, end, logprob, silence = map(float, (found.start, found.end, found.avg_logprob, found.no_speech_prob))
    return Segment(start, end, found.text.strip(), words, logprob, silence)


def _time(seconds: Any) -> float:
    return UNKNOWN if seconds is None else float(seconds)
