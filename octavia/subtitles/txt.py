"""Plain text."""

from collections.abc import Iterable

from octavia.utterances import Utterance

_FULL_STOPS = ("。", "！", "？")


def write(utterances: Iterable[Utterance], *, translated: bool = False) -> str:
    """A file's text, laid out as the source was: a recording's utterances have a line each."""
    text = ""
    for utterance in utterances:
        if text:
            text += "\n" * utterance.breaks or ("" if text.endswith(_FULL_STOPS) else " ")
        text += utterance.spoken if translated else utterance.text
    return f"{text}\n" if text else ""
