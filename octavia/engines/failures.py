"""Errors that several engines raise."""

from octavia.errors import ModelError


def damaged(message: str) -> ModelError:
    """Return the error ``model_damaged``, with the remedy."""
    hint = "Pull or import it again: octavia models pull, octavia models import."
    return ModelError(message, code="model_damaged", hint=hint)
