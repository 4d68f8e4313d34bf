"""Subtitle files that clients send: recognised by their first bytes and their names, and read into cues.

One module for each format: a pure function from the text to its cues, which takes time in proportion to the text, as
strangers choose it. ``times``, ``markup`` and ``numbered`` are what they share. Imports only ``errors`` and the text
modules. Begin with ``reading``.
"""

from octavia.text.cue_files.cues import CueFormat
from octavia.text.cue_files.encodings import load
from octavia.text.cue_files.reading import (
    GivenCue,
    GivenCues,
    check_size,
    chunks,
    from_rows,
    read,
    to_rows,
    utterances,
)
from octavia.text.cue_files.recognition import HEAD, recognised, recognised_text, refuse_recording
from octavia.text.cue_files.substation import BRACES
from octavia.text.cue_files.times import is_time_line

__all__ = [
    "BRACES",
    "HEAD",
    "CueFormat",
    "GivenCue",
    "GivenCues",
    "check_size",
    "chunks",
    "from_rows",
    "is_time_line",
    "load",
    "read",
    "recognised",
    "recognised_text",
    "refuse_recording",
    "to_rows",
    "utterances",
]
