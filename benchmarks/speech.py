"""Real speech of any length: the prompts of Debian's ``asterisk-core-sounds-en-wav``, joined with short pauses."""

import argparse
import sys
from pathlib import Path

import numpy as np
from faster_whisper.audio import decode_audio

from octavia.media.encode import Encoder

PROMPTS = Path("/usr/share/asterisk/sounds/en_US_f_Allison")
RATE = 16_000
SHORTEST = 2.0
PAUSE = 0.6


def write_speech(target: Path, seconds: float) -> None:
    """Join prompts, always in one order, until they last ``seconds``."""
    prompts = sorted(PROMPTS.glob("*.wav"))
    if not prompts:
        sys.exit("error: no prompts; run: apt-get install asterisk-core-sounds-en-wav")
    done, pause = 0, np.zeros(int(PAUSE * RATE), np.float32)
    with Encoder(target, "wav", RATE) as encoder:
        while True:
            for prompt in prompts:
                samples = decode_audio(str(prompt), sampling_rate=RATE)
                if len(samples) < SHORTEST * RATE:
                    continue
                for block in (samples, pause):
                    encoder.write(block)
                    done += len(block)
                if done >= seconds * RATE:
                    return


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", type=Path)
    parser.add_argument("--seconds", type=float, default=300)
    arguments = parser.parse_args()
    write_speech(arguments.target, arguments.seconds)
