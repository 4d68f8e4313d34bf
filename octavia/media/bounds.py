"""How much of a file's claims is believed: beyond these, it is no recording, and to follow it would cost too much."""

from typing import Final

from octavia.errors import InputError

RATES: Final = range(1_000, 768_001)
"""Samples per second, wider than any recorder's; beyond them one second of input could become minutes of output."""

MOST_CHANNELS: Final = 64

_FREE_SILENCE = 1800.0
_BYTES_PER_SECOND = 100


def silence_allowed(size: int) -> float:
    """Seconds of silence that gaps in the timestamps of a file of ``size`` bytes may stand for, in all.

    Half an hour, and what the sparsest of recordings may leave out beyond: one track of a meeting in which somebody
    hardly spoke. Without a bound, two packets can claim to be days apart.
    """
    return _FREE_SILENCE + size / _BYTES_PER_SECOND


def too_complex(message: str) -> InputError:
    """The error for a file that asks for more than a recording of its size would."""
    return InputError(
        message,
        code="media_too_complex",
        hint="If it is a recording that plays, convert it, for example to FLAC or MP3, and upload that.",
        field="file",
    )


def too_long(longest: float) -> InputError:
    """The error for a recording of more than ``longest`` seconds."""
    return InputError(
        f"The media is longer than {longest:.0f} s.",
        code="media_too_long",
        hint="Cut it, or raise OCTAVIA_MAX_MEDIA_SECONDS.",
        field="file",
    )
