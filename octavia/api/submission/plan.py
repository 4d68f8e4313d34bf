"""Plans a job from a checked request, before anything is stored."""

from dataclasses import replace
from typing import Any

from octavia.api.http.checks import check_text
from octavia.api.http.identity import Principal
from octavia.api.schemas.requests import JobRequest
from octavia.errors import InputError
from octavia.jobs.lifecycle import request_rules
from octavia.jobs.tables.records import NewJob
from octavia.jobs.tables.states import JobType
from octavia.outbound import check_url
from octavia.settings import Settings
from octavia.text.cue_files import CueFormat, recognised, recognised_text, refuse_recording
from octavia.text.filenames import name_in_url


def plan(request: JobRequest, client: Principal, *, from_text: bool, cues: bool = False) -> NewJob:
    """Return the requested job, without its input. Raises ``InputError`` as ``request_rules.check``."""
    given = {name: getattr(request, name) for name in request_rules.OPTIONS}
    languages = request.source_language, request.target_language
    source, target = request_rules.check(request.type, *languages, given, from_text=from_text, cues=cues)
    return NewJob(
        type=request.type,
        source_language=source,
        target_language=target,
        options={name: value for name, value in given.items() if request_rules.is_set(value)},
        priority=request.priority,
        meta=request.metadata,
        owner=client.owner,
        key_id=client.key.id if client.key else None,
        jobs_in_flight=client.jobs_in_flight,
    )


def check_source(request: JobRequest, settings: Settings) -> None:
    """Check that a JSON request has either a valid text or an allowed address of a recording.

    Raises:
      InputError: ``missing_field``, ``not_applicable`` or ``url_not_allowed``, or as ``check_length``, ``check_text``.
    """
    text, url = request.text, request.input_url
    if url is not None:
        if text is not None:
            raise InputError(
                "The request has both a text and an input_url.",
                code="not_applicable",
                hint="Submit a job for each.",
                field="input_url",
            )
        check_url(url, settings, field="input_url")
    elif text is not None:
        check_length(text, settings.max_text_chars)
        check_text(text, field="text")
    else:
        raise InputError(
            "The request has no text.",
            code="missing_field",
            hint="Add text, or input_url for a recording, or send a file as a form.",
            field="text",
        )


def check_length(text: str, longest: int, *, field: str = "text") -> None:
    """Refuse text that is empty or too long. Raises ``InputError`` (``text_empty`` or ``text_too_long``)."""
    if not text.strip():
        raise InputError("The text is empty.", code="text_empty", hint="Send at least one word.", field=field)
    if len(text) > longest:
        raise too_long(longest, field=field)


def too_long(longest: int, *, field: str = "text") -> InputError:
    """Return the error for text of more than ``longest`` characters."""
    return InputError(
        f"The text is longer than {longest:,} characters.",
        code="text_too_long",
        hint="Submit it in parts, or have the operator raise OCTAVIA_MAX_TEXT_CHARS.",
        field=field,
    )


def check_prose(text: str, *, field: str) -> None:
    """Refuse subtitles where a text is spoken as it is, times and all. Raises ``InputError`` (``wrong_input``)."""
    if recognised_text(text) is not None:
        raise InputError(
            "The text is subtitles: their times would be spoken.",
            code="wrong_input",
            hint="Send the words alone, or submit the subtitles as a job of type synthesize.",
            field=field,
        )


def with_webhook(new: NewJob, request: JobRequest, client: Principal, settings: Settings) -> NewJob:
    """Return the job with its webhook. Without an address of its own, the job uses its key's address, if any.

    Raises ``InputError`` (``url_not_allowed``, ``webhook_secret_required`` or ``not_applicable``).
    """
    url = None
    if request.webhook_url is not None:
        url = check_url(request.webhook_url, settings, field="webhook_url")
    of_key = client.key.webhook_url if client.key else None
    if request.webhook_secret and not (url or of_key):
        raise InputError(
            "There is a webhook_secret but no webhook_url.",
            code="not_applicable",
            hint="Add webhook_url, or leave the secret out.",
            field="webhook_secret",
        )
    if url and not (request.webhook_secret or client.key or settings.webhook_secret):
        raise InputError(
            "There is no secret to sign the webhook with.",
            code="webhook_secret_required",
            hint="Send webhook_secret: whsec_ and the base64 of 24 to 64 random bytes.",
            field="webhook_secret",
        )
    return replace(new, webhook_url=url, webhook_secret=request.webhook_secret)


def with_options(new: NewJob, **options: Any) -> NewJob:
    """Return the job with options for which requests have no fields."""
    return replace(new, options={**new.options, **options})


def cue_format(request: JobRequest, head: bytes, filename: str) -> CueFormat | None:
    """Return the format of a file of subtitles, as named by the request or recognised; None for a recording.

    Parameters:
      head: The beginning of the file.

    Raises:
      InputError: ``wrong_input``: subtitles were sent where a recording is needed; or as ``recognised``.
    """
    named = request.input_format
    if named == "media" or (named is None and request.type is JobType.TRANSCRIBE):
        refuse_recording(head, filename)
        return None
    return named or recognised(head, filename)


def cue_format_of_text(request: JobRequest) -> CueFormat | None:
    """Return the format of a request's text, as it is named or recognised; None for prose and for an address.

    Raises:
      InputError: ``not_applicable``: the named format does not fit a text, or an address; ``wrong_input``: the file at
        the address is named like subtitles.
    """
    named = request.input_format
    if named is not None and (named == "media") is (request.text is not None):
        raise InputError(
            f"The input cannot be {named}.",
            code="not_applicable",
            hint="Leave input_format out, or send a file.",
            field="input_format",
        )
    if request.text is not None:
        return named if named is not None and named != "media" else recognised_text(request.text)
    refuse_recording(b"", name_in_url(request.input_url or ""))
    return None


def with_format(stored: dict[str, Any], format: CueFormat | None) -> dict[str, Any]:
    """Return a job's ``input``, marked as subtitles if ``format`` is given."""
    return stored if format is None else {**stored, "kind": "subtitles", "format": format}


def url_input(url: str) -> dict[str, Any]:
    """Return a job's ``input`` for a recording that a worker will fetch."""
    return {
        "kind": "url",
        "url": url,
        "filename": name_in_url(url),
        "media_type": "application/octet-stream",
        "size": None,
        "sha256": None,
    }
