"""Speech recognition with Whisper: segments with words, their times completed and made-up text removed.

Knows ``engines.types``, ``engines.repetition`` and ``text``. Begin with ``whisper``.
"""

__all__ = ["whisper"]
