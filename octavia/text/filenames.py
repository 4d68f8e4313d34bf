"""Names of files that clients or servers chose, made safe to show and to store."""

import re
import unicodedata
from email.message import Message
from typing import Final
from urllib.parse import unquote, urlsplit

from octavia.files import fitted, is_device

VIDEO: Final = "video"
"""The name of the dubbed video among a job's results, without its suffix."""

_LONGEST: Final = 1000
_LONGEST_HEADER: Final = 4000


def names_for(filename: str) -> tuple[str, str]:
    """Return a client's file name as it is shown, and as the last part of a storage key."""
    # Cut first: the time to compose characters grows with the square of the number of marks on one.
    name = unicodedata.normalize("NFC", filename.replace("\\", "/").rpartition("/")[2][-_LONGEST:])
    shown = "".join(character for character in name if character.isprintable())[-200:].strip()
    safe = re.sub(r"[^A-Za-z0-9._-]+", "_", shown)[-100:].strip("._-")
    return shown or "media", f"_{safe}"[:100] if is_device(safe) else safe or "media"


def film_name(stem: str, language: str, result: str) -> str | None:
    """Return the name of a dubbed video beside its original, such as ``talk.es.mp4``; None for any other result.

    A stem that is too long for a name with this ending is cut.

    Parameters:
      stem: The original's name without its suffix.
      language: The dub's language, ISO 639-1.
      result: The name among the job's results.
    """
    name, _, suffix = result.rpartition(".")
    return fitted(stem, f".{language}.{suffix}") if name == VIDEO else None


def name_in_url(url: str) -> str:
    """Return the file name in the path of an address, as it is shown."""
    return names_for(unquote(urlsplit(url).path))[0]


def name_in_disposition(header: str) -> str | None:
    """Return the file name in a Content-Disposition header, as it is shown; None if it has none or is too long."""
    # The standard library's parser takes seconds over a header of 64 kB that opens a quotation and does not close it.
    if len(header) > _LONGEST_HEADER:
        return None
    message = Message()
    message["content-disposition"] = header
    given = message.get_filename()
    return names_for(given)[0] if given else None
