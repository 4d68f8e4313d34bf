import json
import math

import pytest

from octavia.text.transcripts import Transcript
from octavia.text.utterances import Utterance, words_of
from octavia.text.words import Segment, Word

WORDS = (Word(0.0, 1.0, " Good", 0.5), Word(1.0, 1.75, " day.", 1.0))
HEARD = Segment(0.0, 1.75, "Good day.", WORDS, avg_logprob=-0.25, no_speech_prob=0.01)
SAID = Utterance("0-0", 0, 0.0, 1.75, "Good day.", "Buenos días.", WORDS)


def test_a_transcript_tells_words_times_and_confidences() -> None:
    value = json.loads(Transcript((SAID,), False, "en", 2.00049, (HEARD,)).to_json())
    assert (value["language"], value["duration"], value["text"]) == ("en", 2.0, "Good day.")
    assert value["subtitles"] is None
    (segment,) = value["segments"]
    assert segment == {
        "id": 0,
        "start": 0.0,
        "end": 1.75,
        "text": "Good day.",
        "confidence": round(math.exp(-0.25), 4),
        "avg_logprob": -0.25,
        "no_speech_prob": 0.01,
    }
    (utterance,) = value["utterances"]
    assert (utterance["start"], utterance["end"], utterance["confidence"]) == (0.0, 1.75, 0.75)
    assert utterance["words"][0] == {"start": 0.0, "end": 1.0, "text": " Good", "probability": 0.5}


def test_a_translation_has_both_texts() -> None:
    value = json.loads(Transcript((SAID,), True, "es", 2.0).to_json())
    assert (value["language"], value["text"], value["segments"]) == ("es", "Buenos días.", [])
    assert (value["utterances"][0]["text"], value["utterances"][0]["translation"]) == ("Good day.", "Buenos días.")


@pytest.mark.parametrize("translated", [False, True])
def test_what_is_written_is_read_again(translated: bool) -> None:
    plain = Segment(0.0, 1.75, "Good day.", (), -0.25, 0.01)
    before = Transcript((SAID,), translated, "en", 2.0, (plain,))
    assert Transcript.from_json(before.to_json(), translated=translated) == before


def test_a_text_has_neither_times_nor_confidences() -> None:
    value = json.loads(Transcript((Utterance("0-0", 0, 0.0, 0.0, "Good day."),), True, "es").to_json())
    assert value["duration"] is None
    assert value["utterances"][0]["confidence"] is None


def test_words_without_times_are_as_sure_as_their_segment() -> None:
    words = words_of([Segment(0.0, 2.0, "Good day.", (), avg_logprob=-0.5)])
    assert [word.probability for word in words] == pytest.approx([math.exp(-0.5)] * 2)
