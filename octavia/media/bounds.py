"""Bounds on the claims of a file: beyond them it is no recording, and decoding it would cost too much."""

from typing import Final

from octavia.errors import InputError

RATES: Final = range(1_000, 768_001)
"""Accepted sample rates in Hz, wider than any recorder's; outside them a second of input could become minutes."""

MOST_CHANNELS: Final = 64

MOST_STREAMS: Final = 256
"""Tracks of all kinds in a file."""

_FREE_SILENCE = 1800.0  # Seconds.
_BYTES_PER_SECOND = 100


def silence_allowed(size: int) -> float:
    """Return the seconds of silence that all timestamp gaps of a file of ``size`` bytes may add up to.

    Half an hour, and more in proportion to the size, enough for the sparsest recording: one track of a meeting whose
    speaker hardly spoke. Without a bound, two packets can claim to be days apart.
    """
    return _FREE_SILENCE + size / _BYTES_PER_SECOND


def too_complex(message: str) -> InputError:
    """Make the error for a file that takes more resources than a recording of its size needs."""
    return InputError(
        message,
        code="media_too_complex",
        hint="If it is a recording that plays, convert it, for example to FLAC or MP3, and use the result.",
        field="file",
    )


def too_long(longest: float) -> InputError:
    """Make the error for a recording of more than ``longest`` seconds."""
    return InputError(
        f"The media is longer than {longest:.0f} s.",
        code="media_too_long",
        hint="Cut it, or raise OCTAVIA_MAX_MEDIA_SECONDS.",
        field="file",
    )
