"""TTML, in the part of it that the text profile of IMSC 1.1 has."""

import xml.etree.ElementTree as ET

from octavia.subtitles.cues import Cue, Line, Subtitles
from octavia.subtitles.stamps import stamp

_ROOT = {
    "xmlns": "http://www.w3.org/ns/ttml",
    "xmlns:tts": "http://www.w3.org/ns/ttml#styling",
    "xmlns:ttp": "http://www.w3.org/ns/ttml#parameter",
    "ttp:contentProfiles": "http://www.w3.org/ns/ttml/profile/imsc1.1/text",
}
_REGION = {
    "xml:id": "bottom",
    "tts:origin": "10% 10%",
    "tts:extent": "80% 80%",
    "tts:displayAlign": "after",
    "tts:textAlign": "center",
}


def write(shown: Subtitles) -> str:
    """A file's text. Lines in another language than the file's say so."""
    root = ET.Element("tt", {**_ROOT, "xml:lang": shown.language or ""})
    layout = ET.SubElement(ET.SubElement(root, "head"), "layout")
    ET.SubElement(layout, "region", _REGION)
    division = ET.SubElement(ET.SubElement(root, "body", {"region": _REGION["xml:id"]}), "div")
    division.text = "\n"
    for cue in shown.cues:
        division.append(_paragraph(cue, shown.language))
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _paragraph(cue: Cue, language: str | None) -> ET.Element:
    paragraph = ET.Element("p", {"begin": stamp(cue.start, "."), "end": stamp(cue.end, ".")})
    paragraph.tail = "\n"
    for number, line in enumerate(cue.lines):
        if number:
            ET.SubElement(paragraph, "br")
        _append(paragraph, line, language)
    return paragraph


def _append(paragraph: ET.Element, line: Line, language: str | None) -> None:
    if line.language != language:
        ET.SubElement(paragraph, "span", {"xml:lang": line.language or ""}).text = line.text
    elif len(paragraph):
        paragraph[-1].tail = line.text
    else:
        paragraph.text = line.text
