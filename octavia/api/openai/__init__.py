"""OpenAI's protocol for speech, ``/v1/audio/…`` and ``/v1/models``, on top of ordinary jobs.

Knows ``submission`` and ``live``, but no resource of the other API. Begin reading with ``recordings`` or ``speech``.
"""

__all__ = ["errors", "models", "recordings", "speech"]
