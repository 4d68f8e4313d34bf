"""The plain script a good engineer would write: one process, one model after the other, the same models and options.

Loads its models, then dubs the file that each line on its standard input names and answers with its wall seconds.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
import onnxruntime as ort
import sentencepiece
from faster_whisper import WhisperModel

Speak = Callable[[str], tuple[np.ndarray, int]]


def kokoro(folder: Path, voice: str, threads: int) -> Speak:
    """Kokoro-82M in Spanish."""
    from kokoro_onnx import Kokoro

    session = ort.InferenceSession(str(folder / "kokoro-quantized.onnx"), _session(threads))
    voices: dict[str, Any] = {voice: np.fromfile(folder / "voices" / f"{voice}.bin", np.float32).reshape(-1, 1, 256)}
    path = folder / ".baseline-voices.npz"
    np.savez(path, **voices)
    engine = Kokoro.from_session(session, str(path))
    return lambda text: engine.create(text, voice=voice, lang="es")


def piper(folder: Path, threads: int) -> Speak:
    """Piper's English voice."""
    from piper import PiperVoice, SynthesisConfig

    model = next(folder.glob("*.onnx"))
    engine = PiperVoice.load(model)
    engine.session = ort.InferenceSession(str(model), _session(threads), providers=["CPUExecutionProvider"])
    config = SynthesisConfig(noise_scale=0, noise_w_scale=0)

    def speak(text: str) -> tuple[np.ndarray, int]:
        chunks = list(engine.synthesize(text, config))
        return np.concatenate([chunk.audio_float_array for chunk in chunks]), chunks[0].sample_rate

    return speak


def _session(threads: int) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return options


class Translator:
    """The bundled English → Spanish model."""

    def __init__(self, folder: Path, threads: int) -> None:
        self.source = sentencepiece.SentencePieceProcessor(model_file=str(folder / "source.spm"))
        self.target = sentencepiece.SentencePieceProcessor(model_file=str(folder / "target.spm"))
        self.model = ctranslate2.Translator(str(folder), compute_type="int8", intra_threads=threads)

    def __call__(self, sentences: list[str]) -> list[str]:
        """Translate a batch."""
        tokens = self.source.encode(sentences, out_type=str)
        results = self.model.translate_batch(tokens, beam_size=2, max_decoding_length=256, max_batch_size=32)
        return [self.target.decode(result.hypotheses[0]) for result in results]


def dub(media: Path, whisper: WhisperModel, translate: Translator | None, speak: Speak, out: Path) -> None:
    """Transcribe, translate (or not), speak, and write the track and its subtitles."""
    segments, _ = whisper.transcribe(
        str(media), language="en", word_timestamps=True, vad_filter=True, condition_on_previous_text=False
    )
    heard = list(segments)
    texts = [segment.text.strip() for segment in heard]
    if translate:
        texts = translate(texts)
    track: list[np.ndarray] = []
    at, rate = 0, 0
    for segment, text in zip(heard, texts, strict=True):
        samples, rate = speak(text)
        start = max(at, int(segment.start * rate))
        track += [np.zeros(start - at, np.float32), samples]
        at = start + len(samples)
    pcm = (np.clip(np.concatenate(track), -1, 1) * 32767).astype("<i2")
    out.mkdir(parents=True, exist_ok=True)
    (out / "dub.raw").write_bytes(pcm.tobytes())
    lines = [f"{segment.start:.2f} --> {segment.end:.2f}\n{text}" for segment, text in zip(heard, texts, strict=True)]
    (out / "subtitles.txt").write_text("\n\n".join(lines))


def main() -> None:
    """Load, then dub once a line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--whisper", type=Path, required=True)
    parser.add_argument("--translation", type=Path, help="leave out to speak the transcript itself")
    parser.add_argument("--kokoro", type=Path)
    parser.add_argument("--piper", type=Path)
    parser.add_argument("--voice", default="ef_dora")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    a = parser.parse_args()
    whisper = WhisperModel(str(a.whisper), compute_type="int8", cpu_threads=a.threads)
    translate = Translator(a.translation, a.threads) if a.translation else None
    speak = kokoro(a.kokoro, a.voice, a.threads) if a.kokoro else piper(a.piper, a.threads)
    for line in sys.stdin:
        began = time.perf_counter()
        dub(Path(line.strip()), whisper, translate, speak, a.out)
        print(f"{time.perf_counter() - began:.3f}", flush=True)


if __name__ == "__main__":
    main()
