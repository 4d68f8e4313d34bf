"""Speech synthesis with Piper and Kokoro, and the silence and tempo of its samples.

Knows the modules of ``engines`` and ``engines.spoken``, but neither recognition nor translation. Begin with ``piper``.
"""

__all__ = ["kokoro", "piper", "silence", "tempo"]
