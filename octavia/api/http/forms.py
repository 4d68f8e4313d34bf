"""Forms (multipart/form-data) as a stream of fields and file data, in the order in which they arrive."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from octavia.errors import InputError

_MOST_PARTS = 64
_FIELD_BYTES = 16 * 1024
_LONGER = {"glossary": 256 * 1024}
_END_OF_LINE = b"\r\n"
_LONGEST_PADDING = 256

OVERHEAD: Final = 1024 * 1024
"""Bytes that a form may have beside its file: for fields, headers and boundaries."""


@dataclass(frozen=True, slots=True)
class FieldStart:
    """The start of an ordinary field's value; an empty field has none."""

    name: str


@dataclass(frozen=True, slots=True)
class Field:
    """A complete ordinary field."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class FileStart:
    """The start of the file, with the client's name and media type for it."""

    filename: str
    media_type: str


@dataclass(frozen=True, slots=True)
class FileData:
    """A block of the file that was started last."""

    data: bytes


Part = FieldStart | Field | FileStart | FileData


class FormReader:
    """Parses a form while its bytes arrive.

    Parameters:
      content_type: The request's header.
      file: The name of the part that is the file if it has a filename; all other parts are ordinary fields.

    Raises:
      InputError: ``bad_multipart``: the header has no valid boundary.
    """

    def __init__(self, content_type: str, *, file: str) -> None:
        self._file = file
        boundary = parse_options_header(content_type)[1].get(b"boundary", b"")
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin,
                    "on_header_field": self._header_name,
                    "on_header_value": self._header_value,
                    "on_header_end": self._header_end,
                    "on_headers_finished": self._start,
                    "on_part_data": self._data,
                    "on_part_end": self._end,
                    "on_end": self._finish,
                },
            )
        except FormParserError as error:
            raise _bad(str(error)) from error
        if not boundary:
            raise _bad("the Content-Type has no boundary")
        self._end_mark = _END_OF_LINE + b"--" + boundary + b"--"
        # The first line has no end of a line before it.
        self._recent = _END_OF_LINE
        self._beside_file = 0
        self._after_end = b""
        self._parts: list[Part] = []
        self._count = 0
        self._ended = False

    def feed(self, data: bytes) -> Iterator[Part]:
        """Yield the parts that these bytes start, continue or complete.

        Raises ``InputError`` (``bad_multipart``, ``field_too_long``, or ``body_too_large`` for a form with more than
        ``OVERHEAD`` bytes beside its file).
        """
        self._parts = []
        self._beside_file += len(data)
        if self._ended:
            self._check_after_end(data)
        else:
            self._write(data)
        if self._beside_file > OVERHEAD:
            raise InputError(
                f"The form has more than {OVERHEAD:,} bytes beside its file.",
                code="body_too_large",
                hint="Send only the fields that this request takes, and the recording as the part named file.",
            )
        yield from self._parts

    def close(self) -> None:
        """Check that the form is complete, after the last ``feed``.

        Raises ``InputError`` (``bad_multipart``) if the form's end is missing.
        """
        if not self._ended:
            raise _bad("its end is missing")

    def _write(self, data: bytes) -> None:
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise _bad(str(error)) from error
        if self._ended:
            # The parser passes over what follows the end, and does not say where it found that. It is at the first such
            # mark: RFC 2046 forbids it within a part. It is sought here only, because that takes time.
            _, mark, after = (self._recent + data).partition(self._end_mark)
            self._check_after_end(after if mark else data)
        kept = len(self._end_mark) - 1
        self._recent = (self._recent + data[-kept:])[-kept:]

    def _check_after_end(self, data: bytes) -> None:
        """Refuse what follows the form's end: a server that read on might see another form than this one."""
        self._after_end += data
        padding = self._after_end.lstrip(b" \t")
        if not _END_OF_LINE.startswith(padding) or len(self._after_end) > _LONGEST_PADDING:
            raise _bad("bytes follow its end")

    def _begin(self) -> None:
        self._count += 1
        if self._count > _MOST_PARTS:
            raise _bad(f"it has more than {_MOST_PARTS} parts")
        self._headers: dict[bytes, bytes] = {}
        self._name = self._value = b""

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        self._headers[self._name.lower()] = self._value
        self._name = self._value = b""

    def _start(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        if b"name" not in options:
            raise _bad("a part has no name")
        self._field = _text(options[b"name"], "name")
        self._is_file = self._field == self._file and b"filename" in options
        self._bytes = bytearray()
        if self._is_file:
            filename = options[b"filename"].decode("utf-8", "replace")
            media_type = self._headers.get(b"content-type", b"").decode("ascii", "replace")
            self._parts.append(FileStart(filename, media_type))

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            self._parts.append(FileData(data[start:end]))
            self._beside_file -= end - start
            return
        if end > start and not self._bytes:
            self._parts.append(FieldStart(self._field))
        self._bytes += data[start:end]
        longest = _LONGER.get(self._field, _FIELD_BYTES)
        if len(self._bytes) > longest:
            raise InputError(
                f"The field {self._field[:100]} is longer than {longest} bytes.",
                code="field_too_long",
                hint="Send recordings as a file (a part with a filename), and text as JSON.",
                field=self._field[:100],
            )

    def _end(self) -> None:
        if not self._is_file:
            self._parts.append(Field(self._field, _text(bytes(self._bytes), self._field)))

    def _finish(self) -> None:
        self._ended = True


def _text(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise _bad(f"the field {name[:100]} is not UTF-8") from None


def _bad(reason: str) -> InputError:
    return InputError(
        f"The form cannot be read: {reason}.",
        code="bad_multipart",
        hint="Build the form with an HTTP library; with curl: -F file=@recording.wav -F type=dub.",
    )
