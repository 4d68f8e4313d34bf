"""Plain text."""

from collections.abc import Iterable

from octavia.text.utterances import Utterance

_FULL_STOPS = ("。", "！", "？")


def write(utterances: Iterable[Utterance], *, translated: bool = False) -> str:
    """A file's text, laid out as the source was: a recording's utterances have a line each."""
    text = ""
    breaks = 0
    for utterance in utterances:
        said = utterance.spoken if translated else utterance.text
        # One that was silenced leaves no line of its own.
        breaks = max(breaks, utterance.breaks)
        if said and text:
            text += "\n" * breaks or ("" if text.endswith(_FULL_STOPS) else " ")
        if said:
            text += said
            breaks = 0
    return f"{text}\n" if text else ""
