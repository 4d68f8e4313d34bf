"""Octavia: recorded speech in one language into text, subtitles and spoken audio in another."""

__version__ = "0.1.0"
