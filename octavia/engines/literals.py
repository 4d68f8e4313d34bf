"""Literals, which are copied letter by letter and never translated: addresses, files, handles and tags."""

import re
from dataclasses import dataclass
from enum import StrEnum

from linkify_it import LinkifyIt

from octavia.engines.replacements import apart


class Kind(StrEnum):
    """The kind of a literal."""

    URL = "url"
    EMAIL = "email"
    FILE = "file"
    HANDLE = "handle"
    TAG = "tag"


@dataclass(frozen=True, slots=True)
class Literal:
    """A literal in a text, at ``[start:end]``."""

    start: int
    end: int
    kind: Kind
    text: str


_FILE_ENDINGS = """
    7z aac ass avi bash bat bin bmp bz2 cfg conf cpp cs css csv db deb dll dmg doc docx eml env epub exe flac gif go gz
    htm html ini ipynb iso jar java jpeg jpg js json jsx key lock log lua m4a m4v md mkv mov mp3 mp4 odp ods odt ogg
    onnx opus pdf pem php png ppt pptx ps1 psd py rar rb rs rst rtf sh sql sqlite srt svg tar tex tgz tiff toml ts tsv
    tsx ttf ttml txt vtt wasm wav webm webp whl xls xlsx xml xz yaml yml zip zst
"""
_ENDINGS = frozenset(_FILE_ENDINGS.split())
_ENDING = "|".join(sorted(_ENDINGS, key=len, reverse=True))
_PATTERNS = {
    # A name with a known ending, or the ending alone (".env"); "Node.js" is one of these as well.
    Kind.FILE: rf"(?<![\w./\\~@-])(?:(?:~|\.{{1,2}})?/|[A-Za-z]:\\)?(?:[\w.-]{{1,64}}[/\\]){{0,16}}"
    rf"[\w-]{{0,64}}(?:\.[\w-]{{1,64}}){{0,4}}\.(?:{_ENDING})(?![\w/-])"
    # A path from the root, the home or the current folder.
    r"|(?<![^\s(\"'])(?:~|\.{1,2})?/(?:[\w-][\w.-]{0,63}/){1,16}(?:[\w-][\w.-]{0,63})?(?<=[\w/-])",
    Kind.HANDLE: r"(?<![\w.@/-])@[A-Za-z_]\w{1,30}",
    Kind.TAG: r"(?<![\w&#/-])#[^\W\d_]\w{0,63}",
}
_LINKS = LinkifyIt()
_OWN = re.compile("|".join(f"(?P<{kind}>{pattern})" for kind, pattern in _PATTERNS.items()), re.IGNORECASE)
_PLAIN_HOST = re.compile(r"[^/?#:]*[^\W\d]")


def literals(text: str) -> list[Literal]:
    """Return the literals of ``text`` in order; they do not overlap, and exclude the punctuation after them."""
    found: list[Literal] = []
    for match in _LINKS.match(text) or []:
        link = Literal(match.index, match.last_index, Kind.EMAIL if match.schema == "mailto:" else Kind.URL, match.raw)
        if match.schema or _is_host(link.text):
            found.append(link)
    own = (Literal(*match.span(), Kind(str(match.lastgroup)), match[0]) for match in _OWN.finditer(text))
    return sorted([*found, *apart(own, found)], key=lambda literal: literal.start)


def _is_host(text: str) -> bool:
    """Return True if a link without a scheme is a host, and not two sentences without a space between ("end.It")."""
    bare = _PLAIN_HOST.fullmatch(text) is not None
    name, _, ending = text.rpartition(".")
    # "report.md" is a file, "3.er" is Spanish.
    if bare and (ending.lower() in _ENDINGS or not re.search(r"[^\W\d]", name)):
        return False
    return not bare or text.startswith("www.") or len(ending) > 2 or (ending.islower() and text.islower())
