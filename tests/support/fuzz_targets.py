"""The parsers of what strangers send, each with a grammar of its input: targets of ``fuzzing``."""

import json
import os
import tempfile
import tomllib
from collections.abc import Callable, Coroutine, Sequence
from ipaddress import ip_network
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import sqlalchemy as sa
from hypothesis import strategies as st
from sqlalchemy.orm import Session
from starlette.applications import Starlette
from starlette.datastructures import Headers, QueryParams
from starlette.requests import HTTPConnection, Request

from octavia import environment, subtitles, url_checks, urls
from octavia.api.http import bodies, checks, downloads, forms, headers, paths, slashes
from octavia.api.live.position import position
from octavia.api.openai.schemas import SpeechRequest, TranscriptionRequest
from octavia.api.schemas.requests import JobRequest, ListRequest, RetryRequest
from octavia.api.schemas.utterances import EditsRequest
from octavia.brokers import queues
from octavia.engines.spoken import speakable
from octavia.errors import InputError, NotFound
from octavia.jobs.operations import filters
from octavia.jobs.operations.conditions import conditions
from octavia.jobs.protocol import messages
from octavia.outbound.urls import check_url
from octavia.settings import Settings
from octavia.text import cue_files, dialogue, edits, filenames, glossaries, sentences
from octavia.text import utterances as utterances_of
from octavia.text.cue_files import encodings, recognition
from octavia.text.lines import pieces
from octavia.text.transcripts import Transcript
from octavia.text.words import Segment, Word
from octavia.tracing import valid_traceparent
from tests.support.fuzzing import LARGEST, Target, damaged, pick, soup

FIXTURES = Path(__file__).parents[1] / "fixtures"
TOKENS: dict[str, list[str]] = tomllib.loads((FIXTURES / "grammars.toml").read_text(encoding="utf-8"))
"""The tokens of each grammar."""

LANGUAGES = ("en", "es", "fr", "it", "de", "ja", "zh", "ar", "hi", "xx")
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32", "cp1252", "cp1251", "shift_jis", "gb18030", "big5")
MOST_CHARS = 100_000
LONGEST_SECONDS = 14_400.0
FILTERED = sa.create_engine("sqlite://")
RECORD: Any = SimpleNamespace(event_seq=7, result_language="es", input={"filename": ""})


def text_of(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")


def bytes_of(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def is_text(data: bytes) -> bool:
    try:
        text_of(data)
    except UnicodeDecodeError:
        return False
    return True


def text(call: Callable[[str], object], *grammars: str, refuses: tuple[type[Exception], ...] = ()) -> Target:
    """A parser of text."""

    def call_with(data: bytes) -> None:
        if is_text(data):
            call(text_of(data))

    return Target(st.one_of(made_of(*grammars), st.text(max_size=200).map(bytes_of)), call_with, refuses)


def made_of(*grammars: str, most: int = 40) -> st.SearchStrategy[bytes]:
    return soup([token for grammar in grammars for token in TOKENS[grammar]], most=most)


def finished(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("it waits")


def scope_of(path: str = "/", *, query: str = "", app: Any = None, **given: str) -> dict[str, Any]:
    lines = [(name.replace("_", "-").encode(), header(value)) for name, value in given.items()]
    return {
        "type": "http",
        "method": "GET",
        "path": path,
        "root_path": "",
        "query_string": header(query),
        "headers": lines,
        "client": ("127.0.0.1", 1),
        "app": app,
        "server": ("a", 80),
        "scheme": "http",
    }


def header(value: str) -> bytes:
    """What may come through as a header: a server refuses the ends of lines and NUL, and cuts spaces off."""
    return bytes_of(value).translate(None, b"\r\n\0").strip()


# Text


def whole_sentences(given: str) -> None:
    language = pick(bytes_of(given), LANGUAGES)
    assert "".join(sentences.segment(given, language)) == given
    assert "".join(sentences.segment_lines(given, language)) == given
    assert all(0 < len(part) <= 50 for part in sentences.shorten(given, 50))
    assert "".join(utterances_of.split_text(given, language=language, longest=400)).strip() == given.strip()
    found = utterances_of.sentences(given, language=language)
    assert "".join("".join(one.text for one in found).split()) == "".join(given.split())


def spoken_at(start: float, texts: Sequence[str]) -> list[Word]:
    return [Word(start + number / 5, start + (number + 1) / 5, one, 0.5) for number, one in enumerate(texts)]


def heard(given: str) -> None:
    language = pick(bytes_of(given), LANGUAGES)
    parts = [f" {part}" for part in given.split(" ")]
    chunks = [
        parts[: len(parts) // 3],
        parts[len(parts) // 3 : 2 * len(parts) // 3],
        parts[2 * len(parts) // 3 :],
        None,
    ]
    words = [
        None
        if texts is None
        else [Word(9 * chunk + at / 5, 9 * chunk + (at + 1) / 5, one, 0.5) for at, one in enumerate(texts)]
        for chunk, texts in enumerate(chunks)
    ]
    owned = [
        one
        for number in range(3)
        for one in utterances_of.owned(
            words[number - 1] if number else None,
            words[number] or [],
            words[number + 1],
            chunk=number,
            language=language,
        )
    ]
    assert sum(len(one.words) for one in owned) == sum(bool(part.strip()) for part in parts)
    utterances_of.words_of([Segment(0.0, 1.0, given)])


def shown(given: str) -> None:
    # Cutting takes half a millisecond a letter where no space parts words.
    lines = [line[:500] for line in given.split("\n")[:20]]
    found = [
        utterances_of.Utterance(f"0-{n}", 0, n * 2.0, n * 2.0 + 2, line, line[::-1]) for n, line in enumerate(lines)
    ]
    for asked in (
        Transcript(tuple(found), duration=2.0, language="en"),
        Transcript(tuple(found), True, "es", given_cues=True),
    ):
        for format, content in subtitles.files(subtitles.SUBTITLE_FORMATS, asked, words=True):
            content.encode("utf-8", "replace")
            if any(map(pieces, lines)):
                again = cue_files.read(
                    content.encode("utf-8", "replace"), format, longest_seconds=1e9, most_chars=10**7, language="en"
                )
                assert again.cues
    subtitles.bilingual(found, source_language="en", language="es")


def spoken(given: str) -> None:
    for language in ("en", "es", "fr", "hi"):
        said = speakable(given, language)
        assert said == " ".join(said.split())


def names(given: str) -> None:
    shown_, stored = filenames.names_for(given)
    assert 0 < len(shown_) <= 200
    assert shown_.isprintable()
    assert 0 < len(stored) <= 100
    assert stored.isascii()
    assert "/" not in stored
    assert not stored.startswith((".", "-"))
    filenames.name_in_disposition(header(given).decode("latin-1"))


def edited(given: str) -> None:
    one = utterances_of.Utterance("0-0", 0, 0.0, 1.0, given)
    edits.with_edit(one, edits.UtteranceEdit(source=given[::-1], start=0.5))
    said = dialogue.turns(given)
    assert "\n".join(dash + words for dash, words in said) == given
    dialogue.joined(given.split("\n"))
    utterances_of.is_said(given)


def glossary_file(suffix: str) -> Callable[[bytes], object]:
    def read(data: bytes) -> None:
        with tempfile.NamedTemporaryFile(suffix=suffix) as file:
            file.write(data)
            file.flush()
            found = glossaries.read(Path(file.name))
        assert len(found) <= glossaries.MOST_TERMS
        assert all(0 < len(side) <= glossaries.LONGEST for pair in found.items() for side in pair)

    return read


# Subtitles


def readable(format: str) -> Callable[[bytes], object]:
    def read(data: bytes) -> None:
        language = pick(data, (*LANGUAGES, None))
        found = cue_files.read(data, format, longest_seconds=LONGEST_SECONDS, most_chars=MOST_CHARS, language=language)
        assert sum(len(cue.text) for cue in found.cues) <= MOST_CHARS + len(found.cues)
        assert all(0 <= cue.start <= cue.end <= LONGEST_SECONDS for cue in found.cues)
        assert [cue.start for cue in found.cues] == sorted(cue.start for cue in found.cues)
        rows = cue_files.to_rows(found.cues)
        assert json.loads(json.dumps(rows)) == rows
        cue_files.utterances(rows, chunk=0)
        cue_files.chunks(found.cues, most_chars=2000)

    return read


def cue_target(format: str) -> Target:
    samples = [path.read_bytes() for path in sorted((FIXTURES / "subtitles").iterdir())]
    made = made_of(format, most=80)
    recoded = st.tuples(made.filter(is_text), st.sampled_from(ENCODINGS)).map(
        lambda pair: text_of(pair[0]).encode(pair[1], "replace")
    )
    return Target(
        st.one_of(made, made, recoded, damaged([*samples, *wholes(format)]), st.binary(max_size=200)),
        readable(format),
        (InputError,),
    )


def wholes(format: str) -> list[bytes]:
    """A file of the format as we write it."""
    found = [utterances_of.Utterance(f"0-{n}", 0, n, n + 1, f"a{n} b, c.", speaker="A") for n in range(5)]
    transcript = Transcript(tuple(found), duration=9.0, language="en")
    written = {"json": transcript.to_json(), "sbv": "0:00:01.000,0:00:02.000\na\n\n", "lrc": "[00:01.00]a\n"}
    written["sub"] = "{1}{1}25.0\n{1}{25}a|b\n"
    if format not in written:
        written[format] = subtitles.write(format, transcript)
    return [written[format].encode()]


def recognised(data: bytes) -> None:
    name = pick(data, (None, "a.srt", "a.vtt", "a.ass", "a.ttml", "a.sub", "a.json", "a.txt", "a.mp4", ""))
    recognition.recognised(data[: recognition.HEAD], name)
    encodings.beginning(data[: recognition.HEAD])
    encodings.unmarked(data)
    recognition.refuse_recording(data[: recognition.HEAD], name)
    if is_text(data):
        recognition.recognised_text(text_of(data))


# HTTP


def request_headers(given: str) -> None:
    raw = header(given).decode("latin-1")
    named = Headers(
        raw=[(name, header(given)) for name in (b"range", b"if-match", b"if-none-match", b"if-range", b"accept")]
    )
    span = headers.requested_span(named, 1000, '"a"')
    assert span is None or 0 <= span.start < span.end <= 1000
    span = headers.requested_span(Headers({"range": raw}), 1000, '"a"')
    assert span is None or 0 <= span.start < span.end <= 1000
    headers.is_unchanged(named, '"a"')
    wanted = headers.preferences([raw, raw], 60.0)
    assert wanted.wait is None or 0 <= wanted.wait <= 60
    assert headers.preferences([raw], 60.0).applied(waited=False, ended=True) == {}
    trace = valid_traceparent(raw)
    assert trace is None or valid_traceparent(trace) == trace
    version = headers.required_version(named)
    assert version is None or float(version) >= 0


FORM = (
    b"--b\r\n",
    b"--b--\r\n",
    b"\r\n",
    b"\r\n\r\n",
    b'Content-Disposition: form-data; name="type"',
    b'Content-Disposition: form-data; name="file"; filename="a.wav"',
    b"Content-Disposition: form-data; name*=UTF-8''%ff",
    b"Content-Type: a/b",
    b"dub",
    b"--b",
    b"\0\xff",
    b":",
    b"a" * 300,
    b";",
    b'"',
    b"\\",
)
KINDS = (
    "multipart/form-data; boundary=b",
    'multipart/form-data; boundary="b"',
    "multipart/form-data",
    "a;boundary=",
    ";" * 99,
)


def form(data: bytes) -> None:
    reader = forms.FormReader(pick(data, (*KINDS[:1] * 8, *KINDS, data[:50].decode("latin-1"))), file="file")
    size = 0
    step = max(len(data) // pick(data, (1, 2, 7, 50)), 1)
    for place in range(0, len(data), step):
        for part in reader.feed(data[place : place + step]):
            size += len(part.data) if isinstance(part, forms.FileData) else 0
    reader.close()
    assert size <= len(data)


def bytes_from(fragments: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    times = st.sampled_from((1, 1, 1, 1, 2, 500))
    one = st.one_of(st.sampled_from(fragments), st.sampled_from(fragments), st.binary(max_size=8))
    return st.lists(st.tuples(one, times), max_size=40).map(lambda parts: b"".join(a * b for a, b in parts)[:LARGEST])


MODELS = (JobRequest, ListRequest, RetryRequest, EditsRequest, SpeechRequest, TranscriptionRequest)


def body(data: bytes) -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": data, "more_body": False}

    value = finished(bodies.json_body(Request(scope_of(), receive), LARGEST))
    for call in (checks.metadata, checks.glossary, checks.voices, checks.audio_formats):
        refusing(call, value)
    for model in MODELS:
        refusing(checks.validate, model, value)
        refusing(checks.validate_some, model, value)
    bodies.QuotingJSON({"message": value if isinstance(value, str) else "a"})


def refusing(call: Callable[..., object], *given: Any) -> None:
    try:
        call(*given)
    except (InputError, NotFound) as error:
        bodies.QuotingJSON({"message": str(error), "hint": error.hint})


def fields(given: str) -> None:
    """The same as forms send it: every value is text."""
    for call in (checks.metadata, checks.glossary, checks.voices, checks.audio_formats):
        refusing(call, given)
    query = QueryParams(header(given).decode("latin-1"))
    refusing(checks.metadata_filters, query)
    for model in MODELS:
        refusing(checks.validate, model, dict(query))
        for name in model.model_fields:
            refusing(checks.validate_some, model, {name: given})
    connection = HTTPConnection(scope_of())
    connection.scope["path_params"] = {"job_id": given}
    refusing(checks.job_id_of, connection)
    connection = HTTPConnection(scope_of(query=given, last_event_id=given))
    refusing(position, connection, RECORD)
    connection = HTTPConnection(scope_of(query=f"after={given}"))
    refusing(position, connection, RECORD)


async def _nothing(*_: Any) -> None:
    return None


def job_filter(given: str) -> None:
    """Everything that a filter holds is short, and bound to be compared, never part of the query's text."""
    terms = filters.parse(given)
    assert len(terms) <= filters.MOST_TERMS
    with Session(FILTERED) as session:
        for clause in conditions(session, terms):
            assert str(clause.compile(FILTERED)).isascii()
    for term in terms:
        assert 0 < len(term.values) <= filters.MOST_VALUES
        assert all(str(value) in given for value in term.values if term.word.name == "owner" and "\\" not in given)


def request_path(given: str) -> None:
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["path"])

    answers: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        answers.append(message)

    path = "/" + given.replace("\0", "")
    for accept in ("text/html", "a"):
        finished(slashes.Slashes(app)(scope_of(path, query=given, accept=accept), _nothing, send))
    assert all(path == "/" or (not path.endswith("/") and "//" not in path) for path in seen)
    for answer in answers:
        for name, value in answer.get("headers", ()):
            assert name != b"location" or value.startswith(b"../")
    root = paths.RootPath(app, root="", trusted=[ip_network("127.0.0.0/8")])
    finished(root(scope_of(path, app=Starlette(), x_forwarded_prefix=given), _nothing, _nothing))


def download(given: str) -> None:
    shown_, _ = filenames.names_for(given)
    job: Any = SimpleNamespace(input={"filename": shown_}, result_language="es")
    for result in ("video.mp4", "transcript.srt"):
        name = downloads.name_for(job, result)
        assert len(name.encode()) <= 255
        assert "/" not in name
        assert not name.startswith((".", "-"))
        file = downloads.File(name, "text/plain", "a", 1, downloads.in_memory(b"a"))
        answer = finished(downloads.send(Request(scope_of(range=given)), file))
        assert b"\n" not in dict(answer.raw_headers)[b"content-disposition"]


# Addresses, environment, settings, messages


def operator_url(given: str) -> None:
    for call in (urls.parse, url_checks.checked_database, url_checks.checked_brokers, url_checks.checked_storage):
        valued(call, given)
    valued(url_checks.checked_web, given)
    valued(url_checks.check_proxies, {"HTTP_PROXY": given, "all_proxy": given})
    urls.shown(given)
    urls.without_logins(given)
    urls.split_scheme(given)


def valued(call: Callable[..., object], *given: Any) -> None:
    """Call what refuses by ``ValueError``."""
    try:
        call(*given)
    except UnicodeError:
        raise
    except ValueError:
        pass


OPEN = Settings(data_dir=Path("/tmp"))


def variables(given: str) -> None:
    environment.plain(given)
    environment.parts(given)
    valued(environment.folder, given)
    environment.is_service_link(given)
    environment.unknown({given: "a", f"OCTAVIA_{given}": "b"}, ["OCTAVIA_PORT"])
    value = given.replace("\0", "")
    name = pick(bytes_of(given), sorted(Settings.model_fields))
    valued(lambda: Settings(**{name: value}))
    try:
        os.environ[f"OCTAVIA_{name.upper()}"] = value
    except UnicodeEncodeError:
        return
    try:
        valued(Settings)
    finally:
        del os.environ[f"OCTAVIA_{name.upper()}"]


MESSAGE = json.dumps(
    {
        "queue_name": "transcribe",
        "actor_name": "transcribe",
        "args": [],
        "kwargs": {"job_id": "00000000-0000-0000-0000-000000000000", "run": 1, "chunk": 0, "format": 1},
        "options": {
            "pipe_target": {
                "queue_name": "translate",
                "actor_name": "translate",
                "args": [],
                "kwargs": {},
                "options": {},
            }
        },
        "message_id": "a",
        "message_timestamp": 1,
    }
).encode()


def message(data: bytes) -> None:
    found = queues.decoded(data)
    if found is None:
        return
    messages.is_newer(found)
    str(found)
    messages.decode(found.encode())
    messages.pipe_target(found.encode())
    messages.ref_of(found)


TARGETS: dict[str, Target] = {
    **{f"cues-{format}": cue_target(format) for format in ("srt", "vtt", "ass", "ttml", "sbv", "lrc", "sub", "json")},
    "recognition": Target(
        st.one_of(*map(made_of, ("srt", "vtt", "ass", "ttml", "sbv", "lrc", "sub", "json")), st.binary(max_size=500)),
        recognised,
        (InputError,),
    ),
    "sentences": text(whole_sentences, "prose"),
    "words": text(heard, "prose"),
    "subtitles": text(shown, "prose"),
    "speech": text(spoken, "prose"),
    "edits": text(edited, "prose"),
    "glossary-json": Target(
        st.one_of(made_of("json-body"), st.binary(max_size=99)), glossary_file(".json"), (InputError,)
    ),
    "glossary-csv": Target(
        st.one_of(soup(['"', ",", "a", "\n", "\r", '""', " ", "é", "\x00"]), st.binary(max_size=99)),
        glossary_file(".csv"),
        (InputError,),
    ),
    "file-names": text(names, "filename"),
    "file-names-in-urls": text(filenames.name_in_url, "url", refuses=(ValueError,)),
    "headers": text(request_headers, "header", refuses=(InputError,)),
    "forms": Target(bytes_from(FORM), form, (InputError,)),
    "bodies": Target(st.one_of(made_of("json-body"), st.binary(max_size=99)), body, (InputError,)),
    "fields": text(fields, "json-body", "url", "header"),
    "filters": text(job_filter, "filter", refuses=(InputError,)),
    "paths": text(request_path, "path"),
    "downloads": text(download, "filename"),
    "operators-urls": text(operator_url, "url"),
    "outbound-urls": text(lambda given: check_url(given, OPEN, field="url"), "url", refuses=(InputError,)),
    "environment": text(variables, "url", "value"),
    "messages": Target(
        st.one_of(damaged([MESSAGE]), made_of("json-body"), st.binary(max_size=99)), message, (InputError,)
    ),
}
