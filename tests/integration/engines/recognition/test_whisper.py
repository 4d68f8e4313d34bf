"""faster-whisper on real speech, and on sound that is none."""

import json
import re
import shutil
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

import jiwer
import numpy as np
import pytest

from octavia.engines import load
from octavia.engines.types import SPEECH_RATE, Recognizer, Samples, Voice
from octavia.errors import InputError, ModelError
from tests.integration.engines.conftest import SAMPLE, at_speech_rate
from tests.support.models import installed, save_whisper


def heard(recognizer: Recognizer, samples: Samples, **options: object) -> str:
    return " ".join(segment.text for segment in recognizer.transcribe(samples, language="en", **options))  # type: ignore[arg-type]


def bare(text: str) -> str:
    return " ".join(re.sub(r"[^a-z0-9 ]", " ", text.lower().replace("'", "")).split())


class TestRecording:
    def test_it_is_heard_as_it_was_read(self, whisper: Recognizer, recording: Samples) -> None:
        read = SAMPLE.with_suffix(".txt").read_text()
        assert jiwer.wer(bare(read), bare(heard(whisper, recording))) <= 0.15

    def test_words_have_times_in_order_within_the_audio(self, whisper: Recognizer, recording: Samples) -> None:
        segments = list(whisper.transcribe(recording, language="en"))
        times = [time for segment in segments for word in segment.words for time in (word.start, word.end)]
        assert all(segment.words for segment in segments)
        assert all(earlier <= later for earlier, later in pairwise(times))
        assert times[0] >= 0
        assert times[-1] <= len(recording) / SPEECH_RATE
        assert bare("".join(word.text for segment in segments for word in segment.words)) == bare(
            " ".join(segment.text for segment in segments)
        )

    def test_segments_are_plain_data(self, whisper: Recognizer, recording: Samples) -> None:
        segment = next(whisper.transcribe(recording[: 8 * SPEECH_RATE], language="en"))
        assert json.loads(json.dumps(asdict(segment)))["text"] == segment.text

    def test_silence_before_speech_moves_its_times(self, whisper: Recognizer, recording: Samples) -> None:
        # Given the same words after five seconds of silence
        words = recording[: 8 * SPEECH_RATE]
        late = np.concatenate([np.zeros(5 * SPEECH_RATE, np.float32), words])
        # Then they are heard five seconds later
        first = next(whisper.transcribe(words, language="en"))
        later = next(whisper.transcribe(late, language="en"))
        assert later.words[1].start - first.words[1].start == pytest.approx(5.0, abs=0.4)

    def test_a_prompt_teaches_a_spelling_beyond_the_first_window(
        self, whisper: Recognizer, joe: Voice, recording: Samples
    ) -> None:
        # Given a name that is spelled otherwise, said in the first window of 30 s and in the second
        said = at_speech_rate(joe.synthesize("My friend Catherine lives here."))
        between = at_speech_rate(joe.synthesize("It rained all day. Then the sun came out, and we walked to town."))
        samples = np.concatenate([said, recording, between, said])
        assert len(samples) - len(said) > 30 * SPEECH_RATE
        assert heard(whisper, samples).count("Kathryn") == 0
        # When the prompt gives the spelling, then it holds in both
        assert heard(whisper, samples, prompt="Kathryn").count("Kathryn") == 2


class TestNoSpeech:
    @pytest.mark.parametrize(
        "samples",
        [
            np.zeros(20 * SPEECH_RATE, np.float32),
            np.zeros(0, np.float32),
            np.zeros(100, np.float32),
            np.random.default_rng(0).normal(0, 0.05, 20 * SPEECH_RATE).astype(np.float32),
            (0.3 * np.sin(np.arange(10 * SPEECH_RATE) * 2 * np.pi * 440 / SPEECH_RATE)).astype(np.float32),
        ],
        ids=["silence", "nothing", "a click", "noise", "a tone"],
    )
    def test_nothing_is_heard(self, whisper: Recognizer, samples: Samples) -> None:
        assert list(whisper.transcribe(samples, language="en")) == []

    def test_nothing_is_made_up_in_the_rest_of_a_window(self, whisper: Recognizer, joe: Voice) -> None:
        # Given a short sentence: tiny.en is known to go on with "Thank you very much for watching" after this one
        said = joe.synthesize("The train to London leaves from platform nine in ten minutes.")
        assert bare(heard(whisper, at_speech_rate(said))).endswith("minutes")


class TestLanguages:
    def test_an_english_model_says_that_it_heard_no_language(self, whisper: Recognizer, recording: Samples) -> None:
        assert not whisper.multilingual
        found = whisper.detect(recording)
        assert (found.language, found.probability) == ("en", 0.0)

    def test_an_english_model_refuses_other_languages(self, whisper: Recognizer, recording: Samples) -> None:
        with pytest.raises(InputError, match="'es'") as caught:
            list(whisper.transcribe(recording, language="es"))
        assert (caught.value.code, caught.value.field) == ("unknown_language", "source_language")

    def test_a_multilingual_model_hears_the_language(self, tmp_path: Path, recording: Samples) -> None:
        # Given a model that takes every voice for Spanish
        save_whisper(tmp_path, "es")
        recognizer = load.recognizer(tmp_path, threads=1)
        assert recognizer.multilingual
        # When it listens to more voice than three windows
        found = recognizer.detect(np.tile(recording, 5))
        # Then it says so, surely, and of silence it says nothing
        assert found.language == "es"
        assert 0.5 < found.probability <= 1.0
        assert recognizer.detect(np.zeros(SPEECH_RATE, np.float32)).probability == 0.0


class TestDamage:
    @pytest.mark.parametrize("name", ["config.json", "model.bin", "tokenizer.json"])
    def test_a_missing_file_is_named_and_not_fetched(self, tmp_path: Path, name: str) -> None:
        folder = shutil.copytree(installed("whisper-tiny.en"), tmp_path / "tiny")
        (folder / name).unlink()
        with pytest.raises(ModelError, match=re.escape(name)) as caught:
            load.recognizer(folder, threads=1)
        assert caught.value.code == "model_damaged"

    @pytest.mark.parametrize("name", ["model.bin", "tokenizer.json"])
    def test_a_damaged_file_is_an_error_of_the_model(self, tmp_path: Path, name: str) -> None:
        folder = shutil.copytree(installed("whisper-tiny.en"), tmp_path / "tiny")
        (folder / name).write_bytes(b"no model")
        with pytest.raises(ModelError) as caught:
            load.recognizer(folder, threads=1)
        assert caught.value.code == "model_damaged"
        assert "octavia models" in caught.value.hint
