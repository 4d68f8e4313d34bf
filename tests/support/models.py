"""Small real models, made on the spot: CTranslate2 transformers with random weights, and sentencepiece on a few lines.

They say nothing sensible, but they are loaded and run by the same code as the real ones.
"""

import io
import json
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import sentencepiece
from ctranslate2.specs import TransformerSpec, WhisperSpec
from faster_whisper.tokenizer import _LANGUAGE_CODES
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from octavia.catalog import Catalog, Store
from octavia.settings import Settings

WIDTH = 16
SPECIAL = ["<unk>", "<s>", "</s>"]
_TEXT = """the cat sat on the mat. a dog ran to the old house and back again, because it was late.
el gato se sentó en la alfombra. un perro corrió a la casa vieja y volvió, porque era tarde.
in 1984 there were 35 people and 1,200 dogs at 10:30. what do you think of that, my friend?
en 1984 había 35 personas y 1.200 perros a las 10:30. ¿qué piensas de eso, amigo mío?"""


def installed(model_id: str) -> Path:
    """The folder of a catalogued model, pulled when it is not there."""
    catalog, store = Catalog.load(Settings()), Store.of(Settings())
    model = catalog.get(model_id)
    return store.path(model) if store.installed(model) else store.pull(model)


@cache
def pieces() -> bytes:
    """A sentencepiece model."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(_TEXT.splitlines() * 5),
        model_writer=model,
        vocab_size=150,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    return model.getvalue()


def vocabulary(extra: Iterable[str] = ()) -> list[str]:
    """The tokens of ``pieces`` and ``extra`` ones."""
    processor = sentencepiece.SentencePieceProcessor(model_proto=pieces())
    own = [processor.id_to_piece(index) for index in range(processor.get_piece_size())]
    return list(dict.fromkeys([*SPECIAL, *own, *extra]))


def save_translator(folder: Path, tokens: Sequence[str], *, add_source_eos: bool | None = False, seed: int = 0) -> None:
    """Write ``model.bin``, vocabulary and ``config.json`` (None: leave it out) for ``tokens`` on both sides."""
    rng = np.random.default_rng(seed)
    spec = TransformerSpec.from_config(1, 2)
    _embeddings(rng, spec.encoder.embeddings[0], len(tokens))
    _embeddings(rng, spec.decoder.embeddings, len(tokens))
    for layer in spec.encoder.layer:
        _layer(rng, layer)
    for layer in spec.decoder.layer:
        _layer(rng, layer)
        _attention(rng, layer.attention, own=False)
    _norm(spec.encoder.layer_norm)
    _norm(spec.decoder.layer_norm)
    _linear(rng, spec.decoder.projection, len(tokens), WIDTH)
    spec.config.add_source_eos = bool(add_source_eos)
    spec.register_source_vocabulary(list(tokens))
    spec.register_target_vocabulary(list(tokens))
    _save(spec, folder)
    if add_source_eos is None:
        (folder / "config.json").unlink()


def save_whisper(folder: Path, heard: str) -> None:
    """Write a multilingual Whisper that takes every sound for the language ``heard``; it transcribes nothing."""
    # CTranslate2 counts languages by where the tokens stand, and knows a multilingual model by its empty one.
    languages = [f"<|{code}|>" for code in _LANGUAGE_CODES[:99]]
    tasks = ["translate", "transcribe", "startoflm", "startofprev", "nospeech", "notimestamps"]
    tokens = [
        *(f"word{index}" for index in range(50_256)),
        "",
        "<|endoftext|>",
        "<|startoftranscript|>",
        *languages,
        *(f"<|{task}|>" for task in tasks),
        *(f"<|{index * 0.02:.2f}|>" for index in range(1501)),
    ]
    rng = np.random.default_rng(0)
    spec = WhisperSpec(1, 2, 1, 2)
    _convolution(rng, spec.encoder.conv1, 80)
    _convolution(rng, spec.encoder.conv2, WIDTH)
    spec.encoder.position_encodings.encodings = _weights(rng, 1500, WIDTH)
    spec.decoder.position_encodings.encodings = _weights(rng, 448, WIDTH)
    _embeddings(rng, spec.decoder.embeddings, len(tokens))
    for layer in spec.encoder.layer:
        _layer(rng, layer)
    for layer in spec.decoder.layer:
        _layer(rng, layer)
        _attention(rng, layer.attention, own=False)
    _norm(spec.encoder.layer_norm)
    _norm(spec.decoder.layer_norm)
    _linear(rng, spec.decoder.projection, len(tokens), WIDTH)
    spec.decoder.projection.bias[tokens.index(f"<|{heard}|>")] = 9.0
    spec.config.lang_ids = [tokens.index(language) for language in languages]
    spec.register_vocabulary(tokens)
    _save(spec, folder)
    Tokenizer(WordLevel(dict(zip(tokens, range(len(tokens)), strict=True)))).save(str(folder / "tokenizer.json"))


def config(folder: Path) -> dict[str, Any]:
    """A saved model's ``config.json``."""
    return dict(json.loads((folder / "config.json").read_text()))


def _save(spec: Any, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    spec.validate()
    spec.optimize(quantization="int8")
    spec.save(str(folder))


def _weights(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.normal(0, 0.3, shape).astype(np.float32)


def _linear(rng: np.random.Generator, spec: Any, out: int, into: int) -> None:
    spec.weight = _weights(rng, out, into)
    spec.bias = np.zeros(out, np.float32)


def _embeddings(rng: np.random.Generator, spec: Any, count: int) -> None:
    spec.weight = _weights(rng, count, WIDTH)


def _norm(spec: Any) -> None:
    spec.gamma = np.ones(WIDTH, np.float32)
    spec.beta = np.zeros(WIDTH, np.float32)


def _convolution(rng: np.random.Generator, spec: Any, channels: int) -> None:
    spec.weight = _weights(rng, WIDTH, channels, 3)
    spec.bias = np.zeros(WIDTH, np.float32)


def _attention(rng: np.random.Generator, spec: Any, *, own: bool) -> None:
    shapes = [3 * WIDTH, WIDTH] if own else [WIDTH, 2 * WIDTH, WIDTH]
    for linear, out in zip(spec.linear, shapes, strict=True):
        _linear(rng, linear, out, WIDTH)
    _norm(spec.layer_norm)


def _layer(rng: np.random.Generator, layer: Any) -> None:
    _attention(rng, layer.self_attention, own=True)
    _linear(rng, layer.ffn.linear_0, 2 * WIDTH, WIDTH)
    _linear(rng, layer.ffn.linear_1, WIDTH, 2 * WIDTH)
    _norm(layer.ffn.layer_norm)
