"""Lines of files, numbered as editors number them."""

from typing import Final

_ENDS: Final = ("\r\r\n", "\r\n", "\r")


def unified(text: str) -> str:
    r"""Return a text whose lines end with ``\n``, be it CR, CRLF or CRCRLF that ended them.

    No other character ends a line: numbers of lines stay those that editors show.
    """
    for end in _ENDS:
        text = text.replace(end, "\n")
    return text
