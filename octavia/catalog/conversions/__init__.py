"""Conversions: make a model that Octavia's engines load of one that they do not; a source may name one.

Each is a module that runs as a program, ``python -m octavia.catalog.conversions.NAME SOURCE TARGET``: the files that it
takes are other people's, and neither its memory nor a crash may harm a worker. It gives the same bytes wherever it
runs, because the catalogue pins their digest.
"""

from dataclasses import dataclass

__all__ = ["KNOWN", "Conversion"]


@dataclass(frozen=True, slots=True)
class Conversion:
    """A program that makes a model of a folder.

    Parameters:
      module: The module that is the program.
      files: The files that it takes, relative to the folder that the source names.
    """

    module: str
    files: tuple[str, ...]


KNOWN = {
    "whisper-onnx": Conversion(
        "octavia.catalog.conversions.whisper_onnx",
        (
            "config.json",
            "generation_config.json",
            "preprocessor_config.json",
            "tokenizer.json",
            "onnx/encoder_model_quantized.onnx",
            "onnx/decoder_model_merged_quantized.onnx",
        ),
    ),
}
"""The conversions by the names that ``catalog.toml`` gives them."""
