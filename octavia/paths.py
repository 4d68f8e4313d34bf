"""Paths, and URLs with paths in them, as they are in any folder: a child runs in another folder than its parent."""

import os
import re
from typing import Final
from urllib.parse import quote, unquote

# Of SQLite only the name of a file; neither ``:memory:`` nor SQLite's own ``file:`` URLs.
_RELATIVE: Final = re.compile(r"(sqlite(?:\+\w+)?:///|(?:file|local)://|(?=[\w.]))(?![/:]|file:)([^:?]+)(?=\?|$)")


def full(path: str) -> str:
    """Make a path absolute; it is returned as it is if the current folder has been deleted."""
    try:
        return os.path.abspath(path)
    except FileNotFoundError:
        return path


def full_url(url: str) -> str:
    """Make the path of a file's URL absolute, and those of files that its query names. A path alone is a URL too."""
    if relative := _RELATIVE.match(url):
        url = relative[1] + full(relative[2]) + url[relative.end() :]
    return full_query(url)


def full_query(url: str) -> str:
    """Make the paths of files that a URL's query names absolute, such as that of a certificate."""
    address, mark, query = url.partition("?")
    return address + mark + "&".join(map(_full_parameter, query.split("&")))


def _full_parameter(parameter: str) -> str:
    name, mark, value = parameter.partition("=")
    path = unquote(value)
    return f"{name}={quote(full(path))}" if mark and os.path.exists(path) else parameter
