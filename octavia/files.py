"""Files that appear whole or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4


@contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """A new file that replaces ``path`` when the block ends, and is removed when the block raises.

    It lies beside ``path`` under a name of its own, so that several processes may write at once; the last one wins.

    Raises:
      OSError: As ``open`` and ``Path.replace`` do.
    """
    part = path.with_name(f".{uuid4().hex}.part")
    try:
        with part.open("xb") as file:
            yield file
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
