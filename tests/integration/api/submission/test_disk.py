"""Uploads leave a disk what it keeps for accepted jobs, however many come at once, through however many processes."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType

import pytest

from octavia.jobs.lifecycle import retention
from octavia.jobs.tables.database import Database
from octavia.settings import Settings
from octavia.storage import Storage
from tests.integration.api.server import RawClient, server_process
from tests.support.ports import free_port
from tests.support.small_disk import SmallDisk, small_disk
from tests.support.waiting import until

MIB = 1024**2
BLOCK = b"x" * 64 * 1024
FORM = "multipart/form-data; boundary=xyz"
HEAD = (
    b'--xyz\r\nContent-Disposition: form-data; name="type"\r\n\r\ntranscribe\r\n'
    b'--xyz\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
)
END = b"\r\n--xyz--\r\n"

PROCESSES = 2
UPLOADS = 8
SIZE = 40 * MIB
ROOM = 60 * MIB
"""What uploads may take: one of them and a half."""

IN_THE_AIR = 4 * MIB
"""What one process may write before another sees it: a block of 128 KiB for each of its 32 threads."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path, ROOM + 300 * MIB) as disk:
        yield disk


@pytest.fixture
def settings(tmp_path: Path, disk: SmallDisk, postgres_url: str) -> Settings:
    return Settings(
        data_dir=tmp_path,
        models_dir=tmp_path / "models",
        database_url=postgres_url,
        storage_url=f"file://{disk.folder}/storage",
        min_free_bytes=disk.free - ROOM,
        port=free_port(),
    )


@contextmanager
def served(settings: Settings, disk: SmallDisk, processes: int = 1) -> Iterator[list[int]]:
    """API processes on the disk; yields their ports."""
    ports = [settings.port, *(free_port() for _ in range(processes - 1))]
    with ExitStack() as running:
        for port in ports:
            running.enter_context(server_process(settings.model_copy(update={"port": port}), *disk.command))
        yield ports


class Upload:
    """An upload of ``SIZE`` that goes on until the server answers.

    Parameters:
      declared: Whether it says how long it is.
    """

    def __init__(self, port: int, *, declared: bool = False, **headers: str) -> None:
        length = str(len(HEAD) + SIZE + len(END))
        self.client = RawClient(port)
        self._send = self.client.send if declared else self.client.send_chunk
        self._last = b"" if declared else b"0\r\n\r\n"
        self._sent = 0
        size = {"Content_Length": length} if declared else {"Transfer_Encoding": "chunked"}
        self.client.post(Content_Type=FORM, **size, **headers)

    def __enter__(self) -> "Upload":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.reset()

    def send(self, size: int = SIZE) -> None:
        """Send so much of the file in all."""
        with suppress(OSError):
            if not self._sent:
                self._send(HEAD)
            while self._sent < size and not self.client.answered(0):
                self._send(BLOCK)
                self._sent += len(BLOCK)

    def answer(self) -> str:
        """Send the end, if it has come so far; returns the status, and the code of an error."""
        with suppress(OSError):
            if self._sent == SIZE and not self.client.answered(0):
                self._send(END)
                self.client.send(self._last)
        head, _, body = self.client.response().partition("\r\n\r\n")
        return head.split(" ")[1] + (" storage_full" if '"storage_full"' in body else "")


def inputs(disk: SmallDisk) -> list[str]:
    """The files of uploads, finished or not."""
    return [name for name in disk.files if "/input/" in name]


def test_uploads_that_do_not_say_how_long_they_are_leave_the_floor_alone(disk: SmallDisk, settings: Settings) -> None:
    # Given two API processes on one disk, on which uploads may take 60 MiB
    lowest, over = disk.free, threading.Event()

    def watch() -> None:
        nonlocal lowest
        while not over.wait(0.002):
            lowest = min(lowest, disk.free)

    watcher = threading.Thread(target=watch)
    with served(settings, disk, PROCESSES) as ports, ExitStack() as clients:
        watcher.start()
        try:
            # When eight uploads of 40 MiB come at once, none of which says how long it is
            uploads = [clients.enter_context(Upload(ports[number % PROCESSES])) for number in range(UPLOADS)]
            with ThreadPoolExecutor(UPLOADS) as pool:
                list(pool.map(Upload.send, uploads))
                answers = sorted(pool.map(Upload.answer, uploads))
        finally:
            over.set()
            watcher.join()
        below = settings.min_free_bytes - lowest
        print(f"\nbelow the floor | {below / MIB:.1f} MiB | {answers}")
        # Then the disk has kept what it keeps for accepted jobs, but for what one process did not see of the other
        assert below <= IN_THE_AIR
        # And what was refused has left nothing
        assert set(answers) <= {"202", "503 storage_full"}
        assert answers.count("503 storage_full") >= UPLOADS - ROOM // SIZE
        assert len(inputs(disk)) == answers.count("202")


def test_room_for_an_upload_that_says_how_long_it_is_is_kept_until_it_ends(disk: SmallDisk, settings: Settings) -> None:
    with served(settings, disk) as (port,):
        # Given an upload of 40 MiB, of which a fourth has come
        before = disk.free
        with Upload(port, declared=True) as first:
            first.send(SIZE // 4)
            until(lambda: before - disk.free > SIZE // 5)
            # When another one of that size asks whether it may come, then it is not even let begin
            with Upload(port, declared=True, Expect="100-continue") as second:
                assert second.client.response().startswith("HTTP/1.1 503 ")
            # And one that does not say its size may have the rest, and nothing that was promised
            with Upload(port) as third:
                third.send()
                assert third.answer() == "503 storage_full"
            # And the first gets through
            first.send()
            assert first.answer() == "202"
        assert len(inputs(disk)) == 1


def test_an_upload_that_breaks_off_gives_its_room_back(disk: SmallDisk, settings: Settings) -> None:
    with served(settings, disk) as (port,):
        # Given an upload that has room
        with Upload(port, declared=True) as first:
            first.send(MIB)
            until(lambda: inputs(disk))
        # When it breaks off, then nothing is left of it
        until(lambda: not inputs(disk))
        # And another has its room: the server says that it may come
        with Upload(port, declared=True, Expect="100-continue") as second:
            assert second.client.response().startswith("HTTP/1.1 100 ")
            second.send()
            assert second.answer() == "202"


def test_a_process_that_is_killed_in_the_middle_leaves_a_file_that_the_sweep_finds(
    disk: SmallDisk, settings: Settings
) -> None:
    # Given an API that is killed while an upload arrives
    with served(settings, disk) as (port,), Upload(port, declared=True) as upload:
        upload.send(MIB)
        until(lambda: inputs(disk))
    # Then its unfinished file is there, and counts as what it takes
    assert len(inputs(disk)) == 1
    # When files that no job names are swept, then it is gone, once it is old enough
    database = Database(settings.database)
    storage = Storage(f"file://{disk.seen}/storage")
    assert retention.sweep_orphans(database, storage) == 0
    assert retention.sweep_orphans(database, storage, min_age=-1) == 1
    database.close()
    assert not inputs(disk)
