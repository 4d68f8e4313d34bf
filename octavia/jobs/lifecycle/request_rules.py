"""The rules of a request for a job: the options that it can use, and the languages that it needs.

The API, the command line and the workers apply these rules. No rows here: a command checks its options without waiting
for SQLAlchemy to be imported.
"""

from collections.abc import Mapping

from octavia.errors import InputError
from octavia.jobs.tables.states import Background, JobType, Stage, chunk_stages

_OF_VOICE = ("voice", "voices", "formats", "speed")
_OF_SPEAKERS = ("voices",)
_OF_ORIGINAL = ("revoice", "background", "background_level", "audio_tracks")
_OF_SPEECH = ("beam_size", "vocabulary")
_OF_RECORDING = ("audio_track",)
_OF_TRANSLATION = ("glossary",)
_OF_SUBTITLES = ("max_line_length",)

OPTIONS = (*_OF_RECORDING, *_OF_SPEECH, *_OF_TRANSLATION, *_OF_SUBTITLES, *_OF_VOICE, *_OF_ORIGINAL)
"""The names of all options, which are fields of a request too."""


def check(
    type_: JobType,
    source: str,
    target: str | None,
    options: Mapping[str, object],
    *,
    from_text: bool,
    cues: bool = False,
) -> tuple[str, str | None]:
    """Check a request as a whole; return its source language and its target language, if it has one.

    Parameters:
      source: A language code, or ``auto`` to detect it from speech.
      options: Values by the names of ``OPTIONS``; None and False count as not set.
      from_text: The input is text or subtitles, not a recording.
      cues: The input is subtitles.

    Raises:
      InputError: ``wrong_input``, ``not_applicable``, ``missing_field``, ``language_required`` or ``same_language``.
    """
    try:
        stages = chunk_stages(type_, from_text=from_text)
    except ValueError:
        given, wanted = ("a recording", "text as JSON, or a file of subtitles")
        if from_text:
            given, wanted = "subtitles" if cues else "text", "a recording"
        raise InputError(
            f"A {type_} job does not take {given}.",
            code="wrong_input",
            hint=f"Give {wanted}, or choose another type of job.",
            field="text" if from_text and not cues else "file",
        ) from None
    revoice = bool(options.get("revoice"))
    _check_applicable(type_, stages, {**options, "target_language": target}, from_text=from_text, cues=cues)
    if type_ is JobType.SYNTHESIZE:
        source, target = _spoken_language(source, target), None
    if from_text:
        check_text_language(source)
    if revoice and target is None and source != "auto":
        target = source
    # With revoice the target is the language of the recording, which may be detected later.
    if Stage.TRANSLATE in stages and target is None and not revoice:
        raise InputError(
            f"A {type_} job needs a target language.",
            code="missing_field",
            hint="Set target_language, for example to es.",
            field="target_language",
        )
    if not revoice:
        check_languages_differ(source, target)
    return source, target


def is_set(value: object) -> bool:
    """Return whether an option has a value; a level of 0 is one."""
    return value is not None and value is not False


def check_text_language(source: str) -> None:
    """Raise ``InputError`` (``language_required``) rather than guess the language of a text."""
    if source == "auto":
        raise InputError(
            "The language of the text is missing.",
            code="language_required",
            hint="Set source_language; only the language of speech can be detected.",
            field="source_language",
        )


def check_languages_differ(source: str, target: str | None) -> None:
    """Raise ``InputError`` (``same_language``) rather than translate from a language into itself."""
    if source == target:
        raise InputError(
            f"Source and target language are both '{source}'.",
            code="same_language",
            hint="Choose another target_language; to change only the voice of a recording, dub it with revoice=true.",
            field="target_language",
        )


def _check_applicable(
    type_: JobType, stages: tuple[Stage, ...], given: Mapping[str, object], *, from_text: bool, cues: bool
) -> None:
    """Refuse an option without effect: its sender expects one."""
    unused: tuple[str, ...] = ()
    if Stage.SYNTHESIZE not in stages:
        unused += _OF_VOICE
    if not cues:
        unused += _OF_SPEAKERS
    if Stage.TRANSCRIBE not in stages:
        unused += _OF_SPEECH
        # Text has no times for subtitles until it is spoken.
        if Stage.TRANSLATE not in stages or not (cues or Stage.SYNTHESIZE in stages):
            unused += _OF_SUBTITLES
    if Stage.TRANSLATE not in stages or given.get("revoice"):
        unused += _OF_TRANSLATION
    if from_text:
        unused += _OF_RECORDING
    if type_ is not JobType.DUB or from_text:
        unused += _OF_ORIGINAL
    if Stage.TRANSLATE not in stages and type_ is not JobType.SYNTHESIZE:
        unused += ("target_language",)
    kind = "from subtitles" if cues else "from text" if from_text else "from a recording"
    for name in unused:
        if is_set(given.get(name)):
            if name in _OF_TRANSLATION and given.get("revoice"):
                kind = "with revoice"
            raise InputError(
                f"A {type_} job {kind} does not use {name}.",
                code="not_applicable",
                hint="Leave it out, or choose another type of job.",
                field=name,
            )
    if given.get("background_level") is not None and given.get("background") in (None, Background.NONE):
        raise InputError(
            "There is a background_level but no background.",
            code="not_applicable",
            hint="Set background to keep or duck, or leave the level out.",
            field="background_level",
        )


def _spoken_language(source: str, target: str | None) -> str:
    """The language of a text to speak, which clients name as source or as target."""
    if target is not None and source not in ("auto", target):
        raise InputError(
            "A synthesize job speaks the text as it is; it does not translate.",
            code="not_applicable",
            hint="Leave target_language out, or dub the text.",
            field="target_language",
        )
    return target or source
