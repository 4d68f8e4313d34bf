"""Names of the artifacts that stages leave for each other."""

TRANSCRIPT = "transcript.json"
"""The segments that ``transcribe`` heard in a chunk."""

UTTERANCES = "utterances.json"
"""A chunk's utterances, from ``translate``."""


def chunk_name(index: int, suffix: str) -> str:
    """The name of the artifact with a chunk's audio (``flac``, mono at 16 kHz), text (``txt``) or cues (``json``)."""
    return f"chunk-{index:05d}.{suffix}"
