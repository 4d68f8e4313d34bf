"""Spoken and written text: words, sentences, utterances, transcripts, and the files and names that clients send.

Pure text: imports only ``errors``, no models, tables or HTTP. Begin with ``utterances``.
"""

__all__ = [
    "cue_files",
    "dialogue",
    "edits",
    "filenames",
    "glossaries",
    "joiner",
    "line_ends",
    "lines",
    "sentences",
    "transcripts",
    "utterances",
    "words",
]
