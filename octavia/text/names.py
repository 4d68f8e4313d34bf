"""What to call a file that somebody else has named."""

import re
import unicodedata
from email.message import Message
from typing import Final
from urllib.parse import unquote, urlsplit

VIDEO: Final = "video"
"""The name, without its suffix, of the film among a job's results."""


def names_for(filename: str) -> tuple[str, str]:
    """What to call a file that a client calls ``filename``: to show, and as the last part of a storage key."""
    name = unicodedata.normalize("NFC", filename.replace("\\", "/").rpartition("/")[2])
    shown = "".join(character for character in name if character.isprintable())[-200:].strip()
    safe = re.sub(r"[^A-Za-z0-9._-]+", "_", shown)[-100:].strip("._-")
    return shown or "media", safe or "media"


def film_name(stem: str, language: str, result: str) -> str | None:
    """What to call a film beside its original, such as ``talk.es.mp4``; None for any other result.

    Parameters:
      stem: What the original is called, without its suffix.
      language: Of the dub.
      result: The name among the results.
    """
    name, _, suffix = result.rpartition(".")
    return f"{stem}.{language}.{suffix}" if name == VIDEO else None


def name_in_url(url: str) -> str:
    """What the file at an address is called, as far as its path says: to show."""
    return names_for(unquote(urlsplit(url).path))[0]


def name_in_disposition(header: str) -> str | None:
    """What a Content-Disposition header calls its file: to show; None where it names none."""
    message = Message()
    message["content-disposition"] = header
    given = message.get_filename()
    return names_for(given)[0] if given else None
