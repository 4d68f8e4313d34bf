"""Markup, which is never read aloud."""

import html
import re

# SSML, HTML, WebVTT and its times; a comment; what ASS subtitles put in braces.
_TAG = re.compile(
    r"<[\d:.]{1,20}>|</?[A-Za-z][^<>]{0,500}>|<!--.{0,2000}?-->|<[!?][^<>]{0,500}>|\{\\[^{}]{0,200}\}", re.DOTALL
)
_LINK = re.compile(r"!?\[([^\[\]]{1,200})\]\([^()\s]{1,500}\)")
_EMPHASIS = re.compile(r"(?<![\w*])(\*{1,3}|_{2,3}|`{1,3}|~~)(?=\S)([^*`~\n]{1,300}?)(?<=\S)\1(?![\w*])")
_HEADING = re.compile(r"^\s{0,3}(?:#{1,6}\s+|>\s+|[*+-]\s+)", re.MULTILINE)


def stripped(text: str) -> str:
    """Remove tags and Markdown's signs, and decode entities; escaped markup is removed as well."""
    text = _TAG.sub(" ", html.unescape(_TAG.sub(" ", text)))
    text = text.replace("[[", " ").replace("]]", " ")
    text = _LINK.sub(r"\1", text)
    return _HEADING.sub("", _EMPHASIS.sub(r"\2", text))
