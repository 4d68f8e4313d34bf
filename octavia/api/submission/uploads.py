"""Streams a job's file from the request into storage, without holding all of it in memory or in a temporary file."""

import re
from collections.abc import Callable, Mapping
from contextlib import aclosing
from typing import Any, Self
from uuid import UUID

from anyio import CancelScope
from starlette.requests import Request

from octavia.api.context import Context
from octavia.api.http.bodies import check_declared_size
from octavia.api.http.checks import unknown_field
from octavia.api.http.forms import OVERHEAD, Field, FieldStart, FileData, FileStart, FormReader
from octavia.errors import InputError
from octavia.jobs.tables.records import stored_input
from octavia.metrics.declared import UPLOAD_BYTES, UPLOADS
from octavia.storage import DroppingWriter, ObjectWriter, Reservation, StoredObject
from octavia.text.cue_files import HEAD
from octavia.text.filenames import names_for

_BLOCK = 128 * 1024
_MEDIA_TYPE = re.compile(r"[\w.+-]{1,50}/[\w.+-]{1,50}", re.ASCII)

Values = dict[str, Any]


class Upload:
    """Reads one form with one file.

    Use it with ``async with``: leaving before ``finish`` removes what was stored of the file.

    Parameters:
      job_id: The job below whose folder the file is stored.
      known: Allowed form fields; those in ``lists`` may be repeated. Others must be empty, and are ignored.
      room: What the file must fit into; None reads and hashes the file without storing it.

    Attributes:
      head, filename: The first bytes and the name of the file, after ``read``.
    """

    def __init__(
        self,
        context: Context,
        job_id: UUID,
        *,
        known: Mapping[str, Any],
        lists: tuple[str, ...],
        room: Reservation | None,
    ) -> None:
        self._context = context
        self._job_id = job_id
        self._known = known
        self._lists = lists
        self._room = room
        self._values: Values = {}
        self._writer: ObjectWriter | None = None
        self._opened = False
        self._buffer = bytearray()
        self._size = 0
        self.head = b""
        self.filename = ""
        self._finished = False

    async def read(self, request: Request, check: Callable[[Values], None]) -> Values:
        """Read the whole form. The file is written to storage, but becomes visible only with ``finish``.

        Parameters:
          check: Called with the fields before the file, before any of the file is stored; raises if one is wrong.

        Returns:
          The fields: a text each, or a list of texts for those in ``lists``.

        Raises:
          InputError: The form is not readable, has unknown or repeated fields, not exactly one file, or a file that is
            too large or empty.
        """
        check_declared_size(request, self._context.settings.max_upload_bytes + OVERHEAD, self._too_large)
        reader = FormReader(request.headers["content-type"], file="file")
        async with aclosing(request.stream()) as blocks:
            async for block in blocks:
                for part in reader.feed(block):
                    match part:
                        case FieldStart(name):
                            self._check_name(name)
                        case Field(name, value):
                            self._keep_value(name, value)
                        case FileStart():
                            check(self._values)
                            self._begin(part)
                        case FileData(data):
                            await self._write(data)
        reader.close()
        self._check_file()
        return self._values

    async def finish(self) -> dict[str, Any]:
        """Complete the stored file, and return the job's ``input`` that describes it."""
        with CancelScope(shield=True):  # whoever made the file visible must know that it is
            stored = await self._context.io(self._complete)
            self._finished = True
        UPLOADS.add()
        UPLOAD_BYTES.add(stored.size)
        return stored_input("media", stored, filename=self.filename, media_type=self._media_type)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._writer is not None and self._opened and not self._finished:
            with CancelScope(shield=True):
                await self._context.io(self._writer.discard)

    def _begin(self, part: FileStart) -> None:
        if self._writer is not None:
            raise InputError(
                "The form has several files.", code="several_files", hint="Submit a job for each.", field="file"
            )
        self.filename, safe = names_for(part.filename)
        self._media_type = part.media_type if _MEDIA_TYPE.fullmatch(part.media_type) else "application/octet-stream"
        key = f"jobs/{self._job_id}/input/{safe}"
        if self._room is None:
            self._writer = DroppingWriter(key)
        else:
            self._writer = self._context.storage.writer(key, room=self._room)

    async def _write(self, data: bytes) -> None:
        self._size += len(data)
        if len(self.head) < HEAD:
            self.head = (self.head + data)[:HEAD]
        if self._size > self._context.settings.max_upload_bytes:
            raise self._too_large()
        self._buffer += data
        # In blocks, because calling a thread costs more than hashing one packet; a small file takes a single call.
        if len(self._buffer) >= _BLOCK:
            await self._context.io(self._flush)

    def _flush(self) -> ObjectWriter:
        assert self._writer is not None
        if not self._opened:
            self._writer.open()
            self._opened = True
        # No larger blocks: each thread may have one on its way to the disk that other processes do not see yet.
        data, self._buffer = bytes(self._buffer), bytearray()
        for start in range(0, len(data), _BLOCK):
            self._writer.write(data[start : start + _BLOCK])
        return self._writer

    def _complete(self) -> StoredObject:
        return self._flush().finish()

    def _check_name(self, name: str) -> None:
        if name == "file":
            raise InputError(
                "The file was sent as a text field.",
                code="invalid_field",
                hint="Give its part a filename; with curl: -F file=@recording.wav.",
                field="file",
            )
        if name not in self._known:
            hint = f"Send {name} as JSON. " if name in ("text", "input_url") else ""
            error = unknown_field(name, ["file", *self._known])
            error.hint = hint + error.hint
            raise error

    def _keep_value(self, name: str, value: str) -> None:
        if name not in self._known:  # and empty, or its start would have been refused
            return
        if name in self._lists:
            self._values.setdefault(name, []).append(value)
        elif name in self._values:
            raise InputError(
                f"The field {name} was sent twice.", code="duplicate_field", hint="Send it once.", field=name
            )
        else:
            self._values[name] = value

    def _check_file(self) -> None:
        if self._writer is None:
            raise InputError(
                "The form has no file.",
                code="missing_field",
                hint="Add it; with curl: -F file=@recording.wav. Text is sent as JSON.",
                field="file",
            )
        if self._size == 0:
            raise InputError("The file is empty.", code="empty_file", hint="Send a recording.", field="file")

    def _too_large(self) -> InputError:
        limit = self._context.settings.max_upload_bytes
        return InputError(
            f"The file is larger than {limit:,} bytes.",
            code="upload_too_large",
            hint="Compress or cut it, or have the operator raise OCTAVIA_MAX_UPLOAD_BYTES.",
            field="file",
        )
