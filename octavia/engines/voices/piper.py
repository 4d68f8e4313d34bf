"""Piper: one voice for each model, or several speakers."""

import json
from pathlib import Path

import numpy as np
from piper import PhonemeType, PiperConfig, PiperVoice, SynthesisConfig

from octavia.engines.failures import damaged
from octavia.engines.spoken import speakable
from octavia.engines.types import Audio
from octavia.engines.voices.session import Session
from octavia.engines.voices.silence import joined, trim
from octavia.engines.voices.tempo import stretch
from octavia.errors import ModelError

_ESPEAK_NAMES = {"nb": "no", "cmn": "zh"}
"""Names of languages in espeak, with ours."""


class Piper:
    """One Piper voice; safe to share between threads.

    Parameters:
      path: A folder with ``NAME.onnx`` and ``NAME.onnx.json``.
      voice: NAME, or a speaker's name if the folder holds one model of several speakers.
      language: The text's language, ISO 639-1, which must be the voice's own.
      threads: Cores for one sentence.

    Raises:
      ModelError: ``model_damaged``, ``voice_unavailable``, or ``voice_language`` if the voice is for another language.
    """

    def __init__(self, path: Path, *, voice: str, language: str, threads: int) -> None:
        model = _model_file(path, voice)
        about = _read(model.with_name(f"{model.name}.json"))
        _check_language(about, model.stem, language)
        config = PiperConfig.from_dict(about)
        if config.phoneme_type not in (PhonemeType.ESPEAK, PhonemeType.TEXT):
            # Other types fetch data from the network.
            raise ModelError(
                f"The voice {model.stem} needs {config.phoneme_type.value} phonemes, which Octavia cannot make.",
                hint="Choose another voice: octavia models list --long",
            )
        self._language = language
        self.rate = int(config.sample_rate)
        self._speaker = config.speaker_id_map.get(voice)
        self._voice = PiperVoice(session=Session(model, threads=threads), config=config)

    def synthesize(self, text: str, *, speed: float = 1.0) -> Audio:
        """Speak ``text``: mono at ``rate`` Hz, up to 50 ms of silence at either end.

        Piper's noise is off, so equal text and speed give equal samples. Text without anything to say gives a pause.
        """
        config = SynthesisConfig(
            speaker_id=self._speaker,
            noise_scale=0.0,
            noise_w_scale=0.0,
            # Between sentences, peaks differ much more than loudness.
            normalize_audio=False,
        )
        said = speakable(text, self._language)
        # The model itself rounds phonemes to whole frames: asked for twice the speed it gives 1.5.
        sentences = [
            stretch(trim(np.asarray(chunk.audio_float_array, np.float32), self.rate), self.rate, speed)
            for chunk in (self._voice.synthesize(said, config) if said else ())
        ]
        return joined(sentences, self.rate)


def _model_file(path: Path, voice: str) -> Path:
    models = sorted(path.glob("*.onnx"))
    named = [model for model in models if model.stem == voice]
    if not named and len(models) != 1:
        raise ModelError(
            f"{path.name} holds no voice '{voice}'.",
            code="voice_unavailable",
            hint=f"It has: {', '.join(model.stem for model in models) or 'none'}. See octavia models list --long.",
        )
    return (named or models)[0]


def _read(path: Path) -> dict[str, object]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError) as error:
        raise damaged(f"The voice's description {path.name} cannot be read: {error}") from error


def _check_language(about: dict[str, object], name: str, language: str) -> None:
    espeak = about.get("espeak")
    spoken = str(espeak.get("voice", "") if isinstance(espeak, dict) else "").split("-")[0].lower()
    if spoken and _ESPEAK_NAMES.get(spoken, spoken) != language:
        raise ModelError(
            f"The voice {name} speaks '{spoken}', not '{language}'.",
            code="voice_language",
            hint=f"Choose a voice for '{language}': octavia models list --long",
        )
