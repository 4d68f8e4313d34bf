"""Writers: plain text, SubRip, WebVTT, Advanced SubStation Alpha, and TTML in the text profile of IMSC 1.1.

No text becomes markup: each writer escapes what players would take for it.
"""

import html
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable

from octavia.subtitles.cues import Cue, Subtitles
from octavia.text.cue_files import BRACES, is_time_line
from octavia.text.joiner import JOINER, guarded
from octavia.text.utterances import Utterance

_FULL_STOPS = ("。", "！", "？")

# The last is a time: some players take two of them for the times of a cue, wherever they stand.
_SRT_MARKUP = re.compile(
    r"<(?=\s*(?:/\s*)?[A-Za-z\d])|\{(?=\\|[CcFfoPSsYyHh]:)|&(?=#?[A-Za-z\d]+;)|--(?=>)|\\(?=[Nnh])"
    r"|(?<=\d)(?=:\d{1,2}:\d{1,2}[,.]\d)"
)
# Not markup in WebVTT, but many players show it by way of a format in which it is, or look for times everywhere.
_VTT_MARKUP = re.compile(r"\\(?=[Nnh])|(?<=\d)(?=:\d\d\.\d)")

_ASS_MARKUP = re.compile(r"[\\{}]")
_ASS_TEXT = str.maketrans(BRACES)
_ASS_INFO = {"PlayResX": "1920", "PlayResY": "1080", "WrapStyle": "2", "ScaledBorderAndShadow": "yes"}
"""Sizes are relative to the resolution; WrapStyle 2 leaves the lines as they are."""

_TTML_ROOT = {
    "xmlns": "http://www.w3.org/ns/ttml",
    "xmlns:tts": "http://www.w3.org/ns/ttml#styling",
    "xmlns:ttp": "http://www.w3.org/ns/ttml#parameter",
    "ttp:contentProfiles": "http://www.w3.org/ns/ttml/profile/imsc1.1/text",
}
_TTML_REGION = {
    "xml:id": "bottom",
    "tts:origin": "10% 10%",
    "tts:extent": "80% 80%",
    "tts:displayAlign": "after",
    "tts:textAlign": "center",
}


def txt(utterances: Iterable[Utterance], *, translated: bool = False) -> str:
    """Return plain text, laid out as the source was; a recording's utterances have a line each."""
    texts: list[str] = []
    breaks = 0
    for utterance in utterances:
        said = utterance.spoken if translated else utterance.text
        # A silenced utterance leaves no line of its own.
        breaks = max(breaks, utterance.breaks)
        if said and texts:
            texts.append("\n" * breaks or ("" if texts[-1].endswith(_FULL_STOPS) else " "))
        if said:
            texts.append(said)
            breaks = 0
    return "".join([*texts, "\n"]) if texts else ""


def srt(cues: Iterable[Cue]) -> str:
    """Return SubRip; what players would take for markup stays text, with a word joiner (U+2060) inside."""
    return "".join(
        f"{number}\n{_stamp(cue.start, ',')} --> {_stamp(cue.end, ',')}\n{_joined(cue)}\n\n"
        for number, cue in enumerate(cues, 1)
    )


def _joined(cue: Cue) -> str:
    lines = (guarded(line.text, _SRT_MARKUP) for line in cue.lines)
    return "\n".join(JOINER + line if is_time_line(line) else line for line in lines)


def vtt(cues: Iterable[Cue], *, words: bool = False) -> str:
    """Return WebVTT, with its escapes.

    Parameters:
      words: Mark each word whose time was recognised with ``<c>`` and its time.
    """
    return "WEBVTT\n\n" + "".join(
        f"{_stamp(cue.start, '.')} --> {_stamp(cue.end, '.')}\n{_timed(cue) if words else _escaped_lines(cue)}\n\n"
        for cue in cues
    )


def _escaped_lines(cue: Cue) -> str:
    return "\n".join(_escaped(line.text) for line in cue.lines)


def _timed(cue: Cue) -> str:
    """Write the lines with a time before each word; times must grow inside the cue, so some words have none."""
    lines: list[str] = []
    latest = cue.start
    for line in cue.lines:
        text = ""
        for number, unit in enumerate(line.units):
            text += " " if unit.spaced and number else ""
            if unit.heard and latest < unit.start < cue.end:
                latest = unit.start
                text += f"<{_stamp(latest, '.')}>"
            text += f"<c>{_escaped(unit.text)}</c>" if unit.heard else _escaped(unit.text)
        lines.append(text)
    return "\n".join(lines)


def _escaped(text: str) -> str:
    return guarded(html.escape(text, quote=False), _VTT_MARKUP)


def ass(cues: Iterable[Cue]) -> str:
    """Return SubStation Alpha; backslashes have a word joiner (U+2060) behind them, braces become U+2774 and U+2775."""
    import pysubs2

    file = pysubs2.SSAFile()
    file.info |= _ASS_INFO
    file.styles["Default"] = pysubs2.SSAStyle(
        fontname="Arial", fontsize=54.0, outline=2.0, shadow=1.0, alignment=pysubs2.Alignment.BOTTOM_CENTER, marginv=54
    )
    file.events = [
        pysubs2.SSAEvent(
            cue.start, cue.end, "\\N".join(guarded(line.text, _ASS_MARKUP).translate(_ASS_TEXT) for line in cue.lines)
        )
        for cue in cues
    ]
    return file.to_string("ass")


def ttml(shown: Subtitles) -> str:
    """Return TTML; lines in another language than the file's are marked with it."""
    root = ET.Element("tt", {**_TTML_ROOT, "xml:lang": shown.language or ""})
    layout = ET.SubElement(ET.SubElement(root, "head"), "layout")
    ET.SubElement(layout, "region", _TTML_REGION)
    division = ET.SubElement(ET.SubElement(root, "body", {"region": _TTML_REGION["xml:id"]}), "div")
    division.text = "\n"
    for cue in shown.cues:
        division.append(_paragraph(cue, shown.language))
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _paragraph(cue: Cue, language: str | None) -> ET.Element:
    paragraph = ET.Element("p", {"begin": _stamp(cue.start, "."), "end": _stamp(cue.end, ".")})
    paragraph.tail = "\n"
    for number, line in enumerate(cue.lines):
        if number:
            ET.SubElement(paragraph, "br")
        if line.language != language:
            ET.SubElement(paragraph, "span", {"xml:lang": line.language or ""}).text = line.text
        elif number:
            paragraph[-1].tail = line.text
        else:
            paragraph.text = line.text
    return paragraph


def _stamp(milliseconds: int, point: str) -> str:
    """Write a time as ``01:02:03.456``, with ``point`` before the milliseconds; hours may have more digits."""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{point}{rest:03d}"
