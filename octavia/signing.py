"""Signatures of webhooks, as https://www.standardwebhooks.com defines them."""

import base64
import binascii
from datetime import datetime
from typing import Final

PREFIX: Final = "whsec_"
_BYTES: Final = range(24, 65)


def check_secret(secret: str) -> str:
    """Check that a secret is ``whsec_`` and the base64 of 24 to 64 bytes; returns it.

    Raises:
      ValueError: It is not. The message does not contain the secret.
    """
    try:
        size = len(base64.b64decode(secret.removeprefix(PREFIX), validate=True))
    except (binascii.Error, ValueError):
        size = 0
    if not secret.startswith(PREFIX) or size not in _BYTES:
        raise ValueError(f"a secret is {PREFIX} and the base64 of {_BYTES.start} to {_BYTES.stop - 1} bytes")
    return secret


def headers(secret: str, message_id: str, moment: datetime, body: bytes) -> dict[str, str]:
    """The three headers by which a receiver verifies the sender and the age of a message, and recognises a repetition.

    Parameters:
      secret: As ``check_secret`` has it.
    """
    # Imported only to sign: it brings an HTTP client along, which the settings, that only check secrets, do not need.
    from standardwebhooks import Webhook

    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": Webhook(secret).sign(message_id, moment, body.decode()),
    }
