"""Piper and Kokoro, heard back where a recogniser is at hand."""

import json
import re
import shutil
import sys
import threading
from pathlib import Path

import jiwer
import numpy as np
import pytest

from octavia.engines import load
from octavia.engines.types import Audio, Recognizer, Voice
from octavia.engines.voices import kokoro
from octavia.errors import ModelError
from tests.integration.engines.conftest import at_speech_rate
from tests.support.models import installed

SENTENCES = [
    "The train to London leaves from platform nine in ten minutes.",
    "She opened the window because the room was very warm.",
    "My brother bought a new house near the river last summer.",
    "Please turn off the lights before you leave the office.",
    "We are going to visit our grandparents next weekend.",
    "He did not understand why the door was still closed.",
    "The children were playing in the garden when it started to rain.",
    "I would like a cup of coffee and a piece of chocolate cake.",
    "Nobody knows how the old bridge was built so quickly.",
    "The judge enjoyed the joyful noise of the boys eating cheese.",
]
SPANISH = "Cuando llegamos al pueblo, la gente ya estaba esperando en la plaza con flores y canciones."
NUMBERS = {"9": "nine", "10": "ten"}


def bare(text: str) -> str:
    return " ".join(NUMBERS.get(word, word) for word in re.sub(r"[^a-z0-9 ]", "", text.lower()).split())


def word_errors(voice: Voice, whisper: Recognizer, sentences: list[str]) -> float:
    heard = [
        " ".join(found.text for found in whisper.transcribe(at_speech_rate(voice.synthesize(sentence)), language="en"))
        for sentence in sentences
    ]
    return jiwer.wer(list(map(bare, sentences)), list(map(bare, heard)))


def level(audio: Audio) -> float:
    """Loudness in dB below full scale."""
    return float(20 * np.log10(np.sqrt(np.mean(audio.samples**2))))


def test_piper_is_understood(joe: Voice, whisper: Recognizer) -> None:
    assert word_errors(joe, whisper, SENTENCES) <= 0.10


def test_kokoro_is_understood(whisper: Recognizer) -> None:
    heart = load.voice("kokoro", installed("kokoro"), voice="af_heart", language="en", threads=1)
    assert word_errors(heart, whisper, SENTENCES[5:]) <= 0.10


def test_kokoro_says_sooner_what_its_model_says(dora: Voice, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given the voice with its model as it was published
    monkeypatch.setattr(kokoro, "sped_up", lambda path: path)
    slow = load.voice("kokoro", installed("kokoro"), voice="ef_dora", language="es", threads=1)
    # When both speak, the other with rewritten convolutions
    # Then every sample is the same
    assert np.array_equal(dora.synthesize(SPANISH).samples, slow.synthesize(SPANISH).samples)


@pytest.fixture(params=["joe", "dora"])
def voice(request: pytest.FixtureRequest) -> Voice:
    chosen: Voice = request.getfixturevalue(request.param)
    return chosen


class TestEveryVoice:
    def test_it_speaks_at_its_rate_and_a_speaking_level(self, voice: Voice) -> None:
        audio = voice.synthesize(SPANISH)
        assert audio.rate == voice.rate
        assert audio.samples.dtype == np.float32
        assert audio.samples.ndim == 1
        assert np.abs(audio.samples).max() <= 1.0
        assert 3.5 <= audio.duration <= 9.0
        assert -35 <= level(audio) <= -12

    def test_it_says_the_same_the_same_way(self, voice: Voice) -> None:
        first, second = voice.synthesize("Uno, dos, tres."), voice.synthesize("Uno, dos, tres.")
        assert np.array_equal(first.samples, second.samples)

    @pytest.mark.parametrize("speed", [0.25, 1.4, 4.0])
    def test_speed_shortens(self, voice: Voice, speed: float) -> None:
        text = "La gente esperaba en la plaza."
        natural, changed = voice.synthesize(text), voice.synthesize(text, speed=speed)
        assert natural.duration / changed.duration == pytest.approx(speed, rel=0.05)

    @pytest.mark.parametrize("text", ["", "   ", "...", "—", "!?", "😀", "[[ ]]"])
    def test_nothing_to_say_is_a_short_pause(self, voice: Voice, text: str) -> None:
        audio = voice.synthesize(text)
        assert 0 < audio.duration <= 0.3
        assert not audio.samples.any()

    def test_there_is_little_silence_at_the_ends(self, voice: Voice) -> None:
        samples = np.abs(voice.synthesize("Buenas tardes.").samples)
        loud = np.flatnonzero(samples > 0.02 * samples.max())
        assert loud[0] / voice.rate < 0.15
        assert (len(samples) - loud[-1]) / voice.rate < 0.25

    def test_threads_share_it(self, voice: Voice) -> None:
        # Given what each of four texts sounds like
        texts = ["Uno.", "Dos perros.", "Tres gatos negros.", "Cuatro casas."]
        expected = [voice.synthesize(text).samples for text in texts]
        # When four threads speak at once
        said: dict[int, np.ndarray] = {}
        threads = [
            threading.Thread(target=lambda place=place: said.__setitem__(place, voice.synthesize(texts[place]).samples))
            for place in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        # Then each says its own
        assert all(np.array_equal(said[place], expected[place]) for place in range(4))


class TestPiper:
    def test_it_never_speaks_another_language(self) -> None:
        with pytest.raises(ModelError, match="'en', not 'es'") as caught:
            load.voice("piper", installed("en_US-joe-medium"), voice="en_US-joe-medium", language="es", threads=1)
        assert caught.value.code == "voice_language"

    def test_text_cannot_smuggle_phonemes_in(self, joe: Voice) -> None:
        assert joe.synthesize("say [[hello]] now").duration == joe.synthesize("say hello now").duration

    def test_two_sentences_have_a_pause_between(self, joe: Voice) -> None:
        parts = [joe.synthesize("Come in.").duration, joe.synthesize("Sit down.").duration]
        assert joe.synthesize("Come in. Sit down.").duration == pytest.approx(sum(parts) + 0.2, abs=0.001)

    def test_a_description_that_is_none(self, tmp_path: Path) -> None:
        folder = shutil.copytree(installed("en_US-joe-medium"), tmp_path / "joe")
        (folder / "en_US-joe-medium.onnx.json").write_text("{")
        with pytest.raises(ModelError, match=r"onnx\.json") as caught:
            load.voice("piper", folder, voice="en_US-joe-medium", language="en", threads=1)
        assert caught.value.code == "model_damaged"

    def test_a_damaged_model(self, tmp_path: Path) -> None:
        folder = shutil.copytree(installed("en_US-joe-medium"), tmp_path / "joe")
        (folder / "en_US-joe-medium.onnx").write_bytes(b"no model")
        with pytest.raises(ModelError) as caught:
            load.voice("piper", folder, voice="en_US-joe-medium", language="en", threads=1)
        assert caught.value.code == "model_damaged"

    def test_an_empty_folder_names_the_voice(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match="'joe'") as caught:
            load.voice("piper", tmp_path, voice="joe", language="en", threads=1)
        assert caught.value.code == "voice_unavailable"

    def test_phonemes_that_would_be_fetched_are_refused(self, tmp_path: Path) -> None:
        folder = shutil.copytree(installed("en_US-joe-medium"), tmp_path / "joe")
        description = folder / "en_US-joe-medium.onnx.json"
        description.write_text(json.dumps(json.loads(description.read_text()) | {"phoneme_type": "pinyin"}))
        with pytest.raises(ModelError, match="pinyin"):
            load.voice("piper", folder, voice="en_US-joe-medium", language="en", threads=1)


class TestKokoro:
    @pytest.mark.parametrize(
        ("name", "language", "text"),
        [
            ("ff_siwis", "fr", "Bonjour, comment allez-vous aujourd'hui ?"),
            ("if_sara", "it", "Buongiorno, come state oggi?"),
            ("pf_dora", "pt", "Bom dia, como você está hoje?"),
            ("hf_alpha", "hi", "नमस्ते, आप कैसे हैं?"),
            ("bf_emma", "en", "Good morning, how are you today?"),
        ],
    )
    def test_its_languages(self, name: str, language: str, text: str) -> None:
        voice = load.voice("kokoro", installed("kokoro"), voice=name, language=language, threads=1)
        audio = voice.synthesize(text)
        assert 1.0 <= audio.duration <= 5.0
        assert level(audio) > -35

    def test_text_longer_than_its_window_is_said_to_the_end(self, dora: Voice) -> None:
        one = dora.synthesize(SPANISH).duration
        assert dora.synthesize(" ".join([SPANISH] * 3)).duration == pytest.approx(3 * one, rel=0.15)

    @pytest.mark.parametrize("name", ["ef_nobody", "../voices/ef_dora", ""])
    def test_a_voice_that_it_has_not(self, name: str) -> None:
        with pytest.raises(ModelError) as caught:
            load.voice("kokoro", installed("kokoro"), voice=name, language="es", threads=1)
        assert caught.value.code == "voice_unavailable"

    def test_a_language_that_it_does_not_speak(self) -> None:
        with pytest.raises(ModelError, match="'de'") as caught:
            load.voice("kokoro", installed("kokoro"), voice="ef_dora", language="de", threads=1)
        assert caught.value.code == "voice_language"

    def test_a_damaged_voice(self, tmp_path: Path) -> None:
        (tmp_path / "voices").mkdir()
        (tmp_path / "voices" / "ef_dora.bin").write_bytes(b"12345678")
        with pytest.raises(ModelError, match="ef_dora") as caught:
            load.voice("kokoro", tmp_path, voice="ef_dora", language="es", threads=1)
        assert caught.value.code == "model_damaged"

    def test_a_missing_package_names_the_extra(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "kokoro_onnx.tokenizer", None)
        with pytest.raises(ModelError) as caught:
            load.voice("kokoro", installed("kokoro"), voice="ef_dora", language="es", threads=1)
        assert caught.value.code == "engine_missing"
        assert caught.value.hint == "pip install 'octavia[kokoro]'"


def test_an_unknown_engine(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="'espeak'") as caught:
        load.voice("espeak", tmp_path, voice="x", language="en", threads=1)
    assert caught.value.code == "engine_unknown"
