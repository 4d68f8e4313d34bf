"""The protocol that OpenAI's clients speak, for speech: ``/v1/audio/…`` and ``/v1/models``, over the same jobs."""
