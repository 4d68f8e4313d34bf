"""The errors for a file that ends the child process, or takes too much: in words that fit the file."""

from octavia.errors import InputError
from octavia.media.bounds import too_complex
from octavia.media.sandbox.wire import Task


def too_slow(task: Task) -> InputError:
    """Make the error for a file that takes too much processor time."""
    if task is Task.CUES:
        return _subtitles("Reading the subtitles takes far longer than any of their size should.")
    return too_complex("Reading the file takes far longer than a recording would.")


def too_large(task: Task) -> InputError:
    """Make the error for a file that takes too much memory."""
    if task is Task.CUES:
        return _subtitles("Reading the subtitles takes more memory than any of their size should.")
    return too_complex("Reading the file takes more memory than that of any recording.")


def crashed(task: Task) -> InputError:
    """Make the error for a file that crashes what reads it."""
    if task is Task.CUES:
        return _subtitles("The subtitles crash what reads them: they are damaged, or made to do so.")
    return InputError(
        "The file crashes the decoder: it is damaged, or made to do so.",
        code="decoder_crashed",
        hint="If it is a recording that plays, convert it, for example to FLAC or MP3, and use the result.",
        field="file",
    )


def _subtitles(message: str) -> InputError:
    hint = "Export them again, for example as SubRip, and send them in parts if they are long."
    return InputError(message, code="bad_subtitles", hint=hint, field="file")
