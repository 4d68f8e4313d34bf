"""From a checked request to a job: what its type needs and does not take, before anything is kept."""

from dataclasses import replace
from typing import Any

from octavia.api.http.checks import check_text
from octavia.api.http.identity import Principal
from octavia.api.schemas.requests import JobRequest
from octavia.errors import InputError
from octavia.jobs.lifecycle import request_rules
from octavia.jobs.tables.records import NewJob, stored_input
from octavia.jobs.tables.states import JobType
from octavia.outbound import check_url
from octavia.settings import Settings
from octavia.storage import StoredObject
from octavia.text.cue_files import CueFormat, recognised
from octavia.text.names import name_in_url


def plan(request: JobRequest, client: Principal, *, from_text: bool, cues: bool = False) -> NewJob:
    """The requested job, without its input.

    Raises:
      InputError: As ``request_rules.check``.
    """
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
    """See that there is a text or the address of a recording, and that it is one.

    Raises:
      InputError: ``missing_field``, ``not_applicable``, ``url_not_allowed``, or what is wrong with the text.
    """
    text, url = request.text, request.input_url
    if url is not None:
        if text is not None:
            raise InputError(
                "There are both a text and an input_url.",
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
            "There is no text.",
            code="missing_field",
            hint="Add it, or input_url for a recording, or send a file as a form.",
            field="text",
        )


def check_length(text: str, longest: int, *, field: str = "text") -> None:
    """Refuse text that is empty or too long.

    Raises:
      InputError: ``text_empty`` or ``text_too_long``.
    """
    if not text.strip():
        raise InputError("The text is empty.", code="text_empty", hint="Give at least a word.", field=field)
    if len(text) > longest:
        raise too_long(longest, field=field)


def too_long(longest: int, *, field: str = "text") -> InputError:
    """The error for text of more than ``longest`` characters."""
    return InputError(
        f"The text is longer than {longest:,} characters.",
        code="text_too_long",
        hint="Submit it in context, or have the operator raise OCTAVIA_MAX_TEXT_CHARS.",
        field=field,
    )


def with_webhook(new: NewJob, request: JobRequest, client: Principal, settings: Settings) -> NewJob:
    """The job with where its end is told; without an address of its own it is told where its key says, if anywhere.

    Raises:
      InputError: ``url_not_allowed``, ``webhook_secret_required`` or ``not_applicable``.
    """
    url = None
    if request.webhook_url is not None:
        url = check_url(request.webhook_url, settings, field="webhook_url")
    of_key = client.key.webhook_url if client.key else None
    if request.webhook_secret and not (url or of_key):
        raise InputError(
            "There is a webhook_secret and no webhook_url.",
            code="not_applicable",
            hint="Add where the end of the job shall be told, or leave the secret out.",
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
    """The job with options that its request has no fields for."""
    return replace(new, options={**new.options, **options})


def with_input(new: NewJob, stored: dict[str, Any]) -> NewJob:
    """The job with what it works on."""
    return replace(new, input=stored)


def cue_format(request: JobRequest, head: bytes | None) -> CueFormat | None:
    """Which subtitles a job works on, if it does: those it is said to, or a file that begins like some.

    A job that listens needs a recording, whatever it looks like.

    Parameters:
      head: The beginning of its file; None: it has a text or an address.

    Raises:
      InputError: ``not_applicable``: a text is no recording, and at an address there is nothing else.
    """
    named = request.input_format
    if named is None:
        return None if head is None or request.type is JobType.TRANSCRIBE else recognised(head)
    if head is None and (named == "media") is (request.text is not None):
        raise InputError(
            f"What is sent is not {named}.",
            code="not_applicable",
            hint="Leave input_format out, or send a file.",
            field="input_format",
        )
    return None if named == "media" else named


def with_format(stored: dict[str, Any], format: CueFormat | None) -> dict[str, Any]:
    """What a job's ``input`` says, of subtitles if that is what it is."""
    return stored if format is None else {**stored, "kind": "subtitles", "format": format}


def url_input(url: str) -> dict[str, Any]:
    """What a job's ``input`` says of a recording that is still to be fetched."""
    return {
        "kind": "url",
        "url": url,
        "filename": name_in_url(url),
        "media_type": "application/octet-stream",
        "size": None,
        "sha256": None,
    }


def text_input(stored: StoredObject) -> dict[str, Any]:
    """What a job's ``input`` says of its text."""
    return stored_input("text", stored, filename="text.txt", media_type="text/plain; charset=utf-8")
