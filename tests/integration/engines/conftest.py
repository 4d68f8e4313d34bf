from pathlib import Path

import av
import numpy as np
import pytest

from octavia.engines import load
from octavia.engines.types import SPEECH_RATE, Audio, Recognizer, Samples, Translator, Voice
from tests.support.models import installed

SAMPLE = Path(__file__).parents[3] / "samples" / "sense_and_sensibility.flac"


@pytest.fixture(scope="session")
def whisper() -> Recognizer:
    return load.recognizer(installed("whisper-tiny.en"), threads=1)


@pytest.fixture(scope="session")
def spanish() -> Translator:
    return load.translator(installed("en-es"), source="en", target="es", threads=1)


@pytest.fixture(scope="session")
def joe() -> Voice:
    return load.voice("piper", installed("en_US-joe-medium"), voice="en_US-joe-medium", language="en", threads=1)


@pytest.fixture(scope="session")
def dora() -> Voice:
    return load.voice("kokoro", installed("kokoro"), voice="ef_dora", language="es", threads=1)


@pytest.fixture(scope="session")
def recording() -> Samples:
    """The sample recording: a woman reads Jane Austen."""
    resampler = av.AudioResampler(format="flt", layout="mono", rate=SPEECH_RATE)
    with av.open(str(SAMPLE)) as container:
        frames = [out for frame in container.decode(audio=0) for out in resampler.resample(frame)]
    frames += resampler.resample(None)
    return np.concatenate([frame.to_ndarray()[0] for frame in frames])


def at_speech_rate(audio: Audio) -> Samples:
    """A voice's audio as recognisers take it."""
    resampler = av.AudioResampler(format="flt", layout="mono", rate=SPEECH_RATE)
    frame = av.AudioFrame.from_ndarray(audio.samples[None], format="flt", layout="mono")
    frame.rate = audio.rate
    frames = [*resampler.resample(frame), *resampler.resample(None)]
    return np.concatenate([out.to_ndarray()[0] for out in frames])
