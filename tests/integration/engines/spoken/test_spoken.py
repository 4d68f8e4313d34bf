"""Numbers, dates, money and abbreviations, said by a real voice and heard by a real recogniser."""

import re

import jiwer
import numpy as np

from octavia.engines.spoken import speakable
from octavia.engines.types import SPEECH_RATE, Recognizer, Voice
from tests.integration.engines.conftest import at_speech_rate

# What is written, and the words that a person would read.
SENTENCES = {
    "In 1984 there were 35 people here.": "in nineteen eighty four there were thirty five people here",
    "The city has 1,200 dogs and 3,500 cats.": (
        "the city has one thousand two hundred dogs and three thousand five hundred cats"
    ),
    "The meeting is at 10:30 on May 5, 2021.": "the meeting is at ten thirty on may fifth twenty twenty one",
    "The coffee costs $3.50 today.": "the coffee costs three dollars and fifty cents today",
    "Prices rose by 2.5% last year.": "prices rose by two point five percent last year",
    "Dr. Smith lives near St. Paul's church.": "doctor smith lives near saint paul's church",
    "Mr. and Mrs. Jones arrived at 3 p.m. yesterday.": "mister and missus jones arrived at three pm yesterday",
    "The 21st century began on 1 January 2001.": "the twenty first century began on january first two thousand one",
    "He weighs 82 kg and runs 10 km every morning.": (
        "he weighs eighty two kilograms and runs ten kilometers every morning"
    ),
    "The car drove at 65 mph on the road.": "the car drove at sixty five miles per hour on the road",
    "It was 21 °C in the garden.": "it was twenty one degrees celsius in the garden",
    "The war lasted from 1914–1918 in Europe.": "the war lasted from nineteen fourteen to nineteen eighteen in europe",
    "She was born in the 1990s, you know.": "she was born in the nineteen nineties you know",
    "World War II ended in 1945.": "world war two ended in nineteen forty five",
    "King Henry VIII had 6 wives.": "king henry the eighth had six wives",
    "She earned $1.5 million in 2020.": "she earned one point five million dollars in twenty twenty",
    "Cats &amp; dogs, e.g. ours, like to sleep.": "cats and dogs for example ours like to sleep",
    "It is <b>Germany</b> vs. France tonight 😀!": "it is germany versus france tonight",
    "Please visit www.example.com for more information.": "please visit example dot com for more information",
    "Write to info@example.org before Friday.": "write to info at example dot org before friday",
    "The file is 3.2 GB, approx. half of the disk.": (
        "the file is three point two gigabytes approximately half of the disk"
    ),
    "We need 1/2 of the money by 15 March.": "we need one half of the money by march fifteenth",
    "Read pp. 12-15 of the book.": "read pages twelve to fifteen of the book",
    "The room is 25 m² and 3 m high.": "the room is twenty five square meters and three meters high",
    "The 2nd and the 3rd train were late.": "the second and the third train were late",
    "About 1,234,567 people live there.": (
        "about one million two hundred thirty four thousand five hundred sixty seven people live there"
    ),
    "It costs €20 per person.": "it costs twenty euros per person",
    "My number is 555-1234.": "my number is five five five one two three four",
    "The film takes 90 min without the break.": "the film takes ninety minutes without the break",
    "A 20-year-old student won 1st prize.": "a twenty year old student won first prize",
}
PAUSE = np.zeros(SPEECH_RATE // 2, np.float32)
AT_ONCE = 6
"""Sentences that the recogniser hears at once: about one of its windows."""


def bare(text: str) -> str:
    """Words alone; what the recogniser writes in digits in words, and "p.m." and "PM" as one."""
    text = re.sub(r"\b([ap])\.?m\b\.?", r"\1m", speakable(text, "en").lower())
    return " ".join(re.sub(r"[^a-z' ]", " ", text).split())


def test_english_is_understood_as_it_is_read(joe: Voice, whisper: Recognizer) -> None:
    # Given thirty sentences with all that is not written in words
    assert len(SENTENCES) == 30
    written = list(SENTENCES)
    # When a voice says them, and a recogniser hears it
    spoken = [np.concatenate([at_speech_rate(joe.synthesize(sentence)), PAUSE]) for sentence in written]
    windows = [np.concatenate(spoken[first : first + AT_ONCE]) for first in range(0, len(spoken), AT_ONCE)]
    heard = " ".join(
        segment.text for window in windows for segment in whisper.transcribe(window, language="en", beam_size=1)
    )
    # Then hardly a word differs from those that a person would read
    compared = jiwer.process_words(bare(" ".join(SENTENCES.values())), bare(heard))
    print(f"word error rate {compared.wer:.3f}")
    assert compared.wer <= 0.08, jiwer.visualize_alignment(compared)
