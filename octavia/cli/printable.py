"""Text for terminals and pipes: names and transcripts may hold anything, and stdout may take little."""

import io
import json
import re
import sys
from typing import Any

# Controls of terminals, line ends other than \n, and marks that turn the direction of the text that follows.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_LINE_ENDS = re.compile("[\n]")
_SURROGATES = re.compile("[\ud800-\udfff]")
_UNDECODED = range(0xDC80, 0xDD00)


def printable(text: object) -> str:
    r"""Return a text with its control characters written out, such as ``\x1b``; its lines stay lines."""
    return _CONTROLS.sub(_written_out, str(text))


def in_a_line(text: object) -> str:
    r"""Return a text in one line: as ``printable``, with line ends written out as ``\n``."""
    return _LINE_ENDS.sub(r"\\n", printable(text))


def json_text(value: Any) -> str:
    """Return indented JSON that any stdout takes, whatever names are in it."""
    ascii_only = (getattr(sys.stdout, "encoding", None) or "utf-8").lower().replace("-", "") not in ("utf8", "utf16")
    text = json.dumps(value, ensure_ascii=ascii_only, indent=2)
    # Bytes of a name that are no UTF-8 stay as they are in Python's names: os.fsencode gives the name again.
    return _SURROGATES.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def accept_all_text() -> None:
    """Have stdout and stderr write out characters that they cannot encode, instead of raising an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


def _written_out(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code in _UNDECODED:
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
