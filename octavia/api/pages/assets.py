"""The files of the pages: modules, styles and vendored libraries, read and compressed once."""

import gzip
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent / "static"
_MEDIA_TYPES: Final = {".js": "text/javascript", ".css": "text/css"}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file, as browsers get it.

    Parameters:
      media_type: Its MIME type.
      plain: Its bytes.
      compressed: The same, by gzip.
      etag: Names its content, in quotes.
    """

    media_type: str
    plain: bytes
    compressed: bytes
    etag: str


@cache
def assets() -> dict[str, Asset]:
    """Return all files by their path below ``FOLDER``."""
    found = {}
    for path in sorted(FOLDER.rglob("*")):
        if media_type := _MEDIA_TYPES.get(path.suffix):
            plain = path.read_bytes()
            digest = sha256(plain).hexdigest()
            # Without a time in it, every process makes the same bytes.
            compressed = gzip.compress(plain, mtime=0)
            found[path.relative_to(FOLDER).as_posix()] = Asset(media_type, plain, compressed, f'"{digest}"')
    return found


@cache
def version() -> str:
    """Return a name of all the files' contents. It is part of their addresses, so no page mixes two releases."""
    return sha256("".join(asset.etag for asset in assets().values()).encode()).hexdigest()[:16]
