"""Header lines of HTTP/1.1, which h11 reads for our server and, below HTTPX, for our client."""

import re
from typing import Final

from h11 import _readers

# h11's own lets two runs of spaces meet around a value that may be empty: 64 kB of them cost a quarter of a minute.
# The possessive repeats here match the same lines.
_LINE: Final = re.compile(
    rb"(?P<field_name>[-!#$%&'*+.^_`|~0-9a-zA-Z]++):[ \t]*+"
    rb"(?P<field_value>(?:[^\x00\s]++(?:[ \t]++[^\x00\s]++)*+)?+)[ \t]*+"
)


def read_in_linear_time() -> None:
    """Have h11 read each header line in time proportional to its length, in this process."""
    _readers.header_field_re = _LINE
