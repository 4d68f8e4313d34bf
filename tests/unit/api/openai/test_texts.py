import json

import pytest

from octavia.api.openai.texts import present
from octavia.text.transcripts import Transcript
from octavia.text.utterances import Utterance
from octavia.text.words import Word


def shown(transcript: Transcript, *granularities: str) -> dict[str, object]:
    value: dict[str, object] = json.loads(bytes(present(transcript, "verbose_json", granularities).body))
    return value


def test_sentences_of_a_translation_are_as_sure_as_their_words() -> None:
    words = (Word(0.0, 1.0, " Buenos", 1.0), Word(1.0, 2.0, " días.", 0.5))
    said = Utterance("0-0", 0, 0.0, 2.0, "Buenos días.", "Good day.", words)
    unsure = Utterance("0-1", 0, 2.0, 3.0, "Hm.", "Hm.", (Word(2.0, 3.0, " Hm.", 0.0),))
    value = shown(Transcript((said, unsure), True, "en", 3.2), "segment")
    first, second = value["segments"]  # type: ignore[misc]
    assert (first["text"], first["avg_logprob"]) == (" Good day.", pytest.approx(-0.2877, abs=1e-4))
    assert second["avg_logprob"] < -9
    assert value["usage"] == {"type": "duration", "seconds": 4}


def test_present_writes_an_empty_transcript() -> None:
    silence = Transcript((), False, "en", 0.0)
    assert shown(silence, "segment", "word") == {
        "task": "transcribe",
        "language": "english",
        "duration": 0.0,
        "text": "",
        "segments": [],
        "words": [],
        "usage": {"type": "duration", "seconds": 0},
    }
    assert bytes(present(silence, "text").body) == b"\n"
    assert bytes(present(silence, "srt").body) == b""


def test_a_word_of_no_known_language_keeps_its_code() -> None:
    assert shown(Transcript((), False, "xx", 1.0))["language"] == "xx"
