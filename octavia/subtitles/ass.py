"""Advanced SubStation Alpha."""

from collections.abc import Iterable

import pysubs2

from octavia.subtitles.cues import Cue

# The format has no escapes that all players know: a backslash is parted from what follows, braces are ornaments.
_TEXT = str.maketrans({"\\": "\\\u2060", "{": "\u2774", "}": "\u2775"})
_WIDTH, _HEIGHT = 1920, 1080
_LEAVE_LINES_ALONE = "2"


def write(cues: Iterable[Cue]) -> str:
    """A file's text. Backslashes are kept with a word joiner (U+2060) behind them, braces as U+2774 and U+2775."""
    file = pysubs2.SSAFile()
    file.info |= {"PlayResX": str(_WIDTH), "PlayResY": str(_HEIGHT), "WrapStyle": _LEAVE_LINES_ALONE}
    file.info["ScaledBorderAndShadow"] = "yes"
    file.styles["Default"] = pysubs2.SSAStyle(
        fontname="Arial", fontsize=54.0, outline=2.0, shadow=1.0, alignment=pysubs2.Alignment.BOTTOM_CENTER, marginv=54
    )
    file.events = [
        pysubs2.SSAEvent(cue.start, cue.end, "\\N".join(line.text.translate(_TEXT) for line in cue.lines))
        for cue in cues
    ]
    return file.to_string("ass")
