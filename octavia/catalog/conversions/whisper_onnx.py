"""Whisper as transformers.js runs it (ONNX, 8 bits a weight) into Whisper as CTranslate2 runs it, with int8 weights.

It needs numpy, ``onnx`` and the writers of ``ctranslate2``, and no PyTorch. Each matrix is made floats, and at once
quantized again by rows, so that memory holds little more than the result and the larger file: 0.7 GB for Whisper small.
"""

import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from ctranslate2.converters import utils
from ctranslate2.specs import common_spec, whisper_spec

from octavia.catalog.conversions.onnx_weights import BadExport, Weights

_MOST_JSON: Final = 32 * 1024**2  # The largest, the tokenizer's, has 2.5 MB.
_MOST_LAYERS: Final = 64  # The largest Whisper has 32, each with 20 heads.
_TICK: Final = 0.02  # Seconds between two of Whisper's tokens for times.


def convert(source: Path, target: Path) -> None:
    """Make a CTranslate2 folder of the files of ``conversions.KNOWN["whisper-onnx"]``.

    Parameters:
      source: The folder of the export.
      target: An empty folder.

    Raises:
      ValueError: ``BadExport`` among them: the export is none of Whisper, lacks something, or is damaged.
      OSError: A file cannot be read or written.
    """
    config, generation = _json(source / "config.json"), _json(source / "generation_config.json")
    encoder, decoder = _count(config, "encoder_layers"), _count(config, "decoder_layers")
    heads = [_count(config, f"{part}_attention_heads") for part in ("encoder", "decoder")]
    if heads[0] != heads[1]:
        raise BadExport("encoder and decoder have different numbers of attention heads")
    spec = whisper_spec.WhisperSpec(encoder, heads[0], decoder, heads[1])
    _fill_encoder(spec.encoder, Weights(source / "onnx/encoder_model_quantized.onnx", ("model.encoder.",)))
    decoder_file = source / "onnx/decoder_model_merged_quantized.onnx"
    _fill_decoder(spec.decoder, Weights(decoder_file, ("model.decoder.",)))
    spec.register_vocabulary(_vocabulary(_json(source / "tokenizer.json"), len(spec.decoder.embeddings.weight.numpy())))
    spec.config.suppress_ids = generation["suppress_tokens"]
    spec.config.suppress_ids_begin = generation["begin_suppress_tokens"]
    spec.config.alignment_heads = generation["alignment_heads"]
    spec.config.lang_ids = sorted(generation["lang_to_id"].values())
    spec.validate()
    spec.optimize()
    spec.save(str(target))
    for name in ("tokenizer.json", "preprocessor_config.json"):
        shutil.copyfile(source / name, target / name)


def _fill_encoder(spec: Any, weights: Weights) -> None:
    for name in ("conv1", "conv2"):
        _linear(getattr(spec, name), weights, name)
    spec.position_encodings.encodings = weights["embed_positions.weight"]
    _norm(spec.layer_norm, weights, "layer_norm")
    for number, layer in enumerate(spec.layer):
        _fill_layer(layer, weights, f"layers.{number}")


def _fill_decoder(spec: Any, weights: Weights) -> None:
    # The first and the last matrix of the decoder are one.
    for part in (spec.embeddings, spec.projection):
        part.weight = weights["embed_tokens.weight"]
        _quantize(part)
    spec.position_encodings.encodings = weights["embed_positions.weight"]
    _norm(spec.layer_norm, weights, "layer_norm")
    for number, layer in enumerate(spec.layer):
        name = f"layers.{number}"
        _fill_layer(layer, weights, name)
        queries, keys_and_values, out = layer.attention.linear
        _linear(queries, weights, f"{name}.encoder_attn.q_proj")
        _fused(keys_and_values, weights, [f"{name}.encoder_attn.{part}_proj" for part in "kv"])
        _linear(out, weights, f"{name}.encoder_attn.out_proj")
        _norm(layer.attention.layer_norm, weights, f"{name}.encoder_attn_layer_norm")


def _fill_layer(spec: Any, weights: Weights, name: str) -> None:
    """Fill what the layers of encoder and decoder have in common."""
    inner, out = spec.self_attention.linear
    _fused(inner, weights, [f"{name}.self_attn.{part}_proj" for part in "qkv"])
    _linear(out, weights, f"{name}.self_attn.out_proj")
    _norm(spec.self_attention.layer_norm, weights, f"{name}.self_attn_layer_norm")
    _linear(spec.ffn.linear_0, weights, f"{name}.fc1")
    _linear(spec.ffn.linear_1, weights, f"{name}.fc2")
    _norm(spec.ffn.layer_norm, weights, f"{name}.final_layer_norm")


def _linear(spec: Any, weights: Weights, name: str) -> None:
    _fill(spec, weights, name)
    _quantize(spec)


def _fused(spec: Any, weights: Weights, names: Sequence[str]) -> None:
    """Fill one matrix with several, one below the other."""
    parts = [common_spec.LinearSpec() for _ in names]
    for part, name in zip(parts, names, strict=True):
        _fill(part, weights, name)
    utils.fuse_linear(spec, parts)
    _quantize(spec)


def _fill(spec: Any, weights: Weights, name: str) -> None:
    spec.weight = weights[f"{name}.weight"]
    if f"{name}.bias" in weights:
        spec.bias = weights[f"{name}.bias"]


def _norm(spec: Any, weights: Weights, name: str) -> None:
    spec.gamma, spec.beta = weights[f"{name}.weight"], weights[f"{name}.bias"]


def _quantize(spec: Any) -> None:
    spec.validate()
    spec.optimize(quantization="int8")


def _vocabulary(tokenizer: dict[str, Any], size: int) -> list[str]:
    """List the tokens by their ids; the last of the ``size`` are times, which the tokenizer's file leaves out."""
    ids: dict[str, int] = dict(tokenizer["model"]["vocab"])
    ids.update((added["content"], added["id"]) for added in tokenizer["added_tokens"])
    tokens = sorted(ids, key=lambda token: ids[token])
    if [ids[token] for token in tokens] != list(range(len(tokens))) or len(tokens) > size:
        raise BadExport("the tokenizer is of another model")
    return tokens + [f"<|{number * _TICK:.2f}|>" for number in range(size - len(tokens))]


def _count(config: dict[str, Any], name: str) -> int:
    count = config[name]
    if not isinstance(count, int) or not 0 < count <= _MOST_LAYERS:
        raise BadExport(f"{name} is {count!r:.100}")
    return count


def _json(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        content = json.loads(file.read(_MOST_JSON))
    if not isinstance(content, dict):
        raise BadExport(f"{path.name} holds no object")
    return content


def main() -> None:
    """Convert, and say in one line why not."""
    source, target = map(Path, sys.argv[1:])
    try:
        convert(source, target)
    except KeyError as error:
        sys.exit(f"It cannot be converted: there is no {error}")
    except Exception as error:  # The files are others', and may be wrong in any way.
        sys.exit(f"It cannot be converted: {type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
