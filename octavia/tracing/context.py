"""W3C trace contexts: the text that a span's identity travels in (``traceparent``)."""

from typing import Final

LONGEST: Final = 55
"""Characters of a ``traceparent`` of version 00."""

_DIGITS: Final = frozenset("0123456789abcdef")


def valid_traceparent(text: object) -> str | None:
    """Return a ``traceparent`` as version 00 has it; None if it is none, which whoever got it must ignore.

    A newer version may have more after the four parts; they are read as version 00, as the recommendation says.
    """
    if not isinstance(text, str):
        return None
    version, trace, parent, flags = (text[:2], text[3:35], text[36:52], text[53:55])
    parts_are_apart = text[2:3] == text[35:36] == text[52:53] == "-"
    if not parts_are_apart or not _DIGITS.issuperset(version + trace + parent + flags) or len(flags) != 2:
        return None
    if version == "ff" or (len(text) != LONGEST and (version == "00" or text[LONGEST] != "-")):
        return None
    if not trace.strip("0") or not parent.strip("0"):
        return None
    return f"00-{trace}-{parent}-{flags}"


def make_traceparent(trace: int, parent: int, flags: int) -> str:
    """Write a ``traceparent`` from the numbers of a trace and a span."""
    return f"00-{trace:032x}-{parent:016x}-{flags:02x}"


def parsed(traceparent: str) -> tuple[int, int, int]:
    """Read a valid ``traceparent``: the numbers of trace and span, and the flags."""
    return int(traceparent[3:35], 16), int(traceparent[36:52], 16), int(traceparent[53:55], 16)


def trace_id_of(traceparent: str | None) -> str | None:
    """Return the trace id, 32 hexadecimal digits, of a valid ``traceparent``."""
    return traceparent[3:35] if traceparent else None
