"""Objects appear whole or not at all, on a real folder and on a store that only shows closed files."""

import errno
import gc
import hashlib
import io
import os
import resource
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from octavia.errors import InputError, NotFound, Unavailable
from octavia.storage import Space, Storage, StorageFull, StorageRefused, StoredObject


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "storage"


@pytest.fixture
def storage(folder: Path) -> Storage:
    return Storage(f"file://{folder}")


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def break_off(storage: Storage, key: str) -> None:
    with storage.writer(key) as writer:
        writer.write(b"half of it")
        raise RuntimeError("broken off")


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize(
    "data",
    [b"hello", [b"he", b"llo"], io.BytesIO(b"hello"), (block for block in [b"hel", b"lo"])],
    ids=["bytes", "list", "file", "generator"],
)
def test_put_stores_what_it_is_given(storage: Storage, data: bytes) -> None:
    # When something is put, in whichever form
    stored = storage.put("jobs/1/a.txt", data)
    # Then it is there, and described by its size and hash
    assert storage.get("jobs/1/a.txt") == b"hello"
    assert stored == StoredObject("jobs/1/a.txt", 5, hashlib.sha256(b"hello").hexdigest())


@pytest.mark.parametrize("url", ["file", "memory"])
def test_a_store_lists_opens_and_deletes(url: str, folder: Path) -> None:
    # Given a store with two objects
    storage = Storage(f"file://{folder}" if url == "file" else f"memory://{folder}")
    storage.put("jobs/1/a", b"abc")
    storage.put("jobs/2/b", b"def")
    # Then both are listed, as of just now
    found = dict(storage.keys("jobs"))
    assert found.keys() == {"jobs/1/a", "jobs/2/b"}
    assert all(abs(time.time() - modified) < 60 for modified in found.values())
    # And can be read from anywhere
    with storage.open("jobs/1/a") as file:
        file.seek(1)
        assert file.read() == b"bc"
    with storage.local_path("jobs/2/b") as path:
        assert path.read_bytes() == b"def"
    # When one is deleted, twice
    storage.delete("jobs/1/a")
    storage.delete("jobs/1/a")
    # Then only the other remains
    assert not storage.exists("jobs/1/a")
    assert [key for key, _ in storage.keys("jobs")] == ["jobs/2/b"]


def test_nothing_is_visible_before_the_writer_finishes(storage: Storage, folder: Path) -> None:
    # Given a writer that has written
    writer = storage.writer("jobs/1/a")
    writer.open()
    writer.write(b"half")
    # Then nobody sees the object
    assert not storage.exists("jobs/1/a")
    # When it finishes
    stored = writer.finish()
    # Then it is there and nothing else is
    assert stored.size == 4
    assert files(folder) == ["jobs", "jobs/1", "jobs/1/a"]


def test_a_writer_that_is_left_by_an_error_leaves_nothing(storage: Storage, folder: Path) -> None:
    # When something goes wrong while an object is written
    with pytest.raises(RuntimeError, match="broken off"):
        break_off(storage, "jobs/1/a")
    # Then neither it, nor a part of it, nor its folders remain
    assert files(folder) == []


def test_an_object_that_has_no_room_in_the_middle_leaves_nothing(storage: Storage, folder: Path) -> None:
    # Given a disk that others fill while an object is written
    left = [3000]
    room = Space(lambda: left[0], 1000).reserve()
    writer = storage.writer("jobs/1/a", room=room)
    writer.open()
    writer.write(b"x" * 1000)
    left[0] = 1500
    # When its next block is one too many, then it is refused, and gone at once
    with pytest.raises(StorageFull):
        writer.write(b"x" * 1000)
    assert files(folder) == []
    # And what has no such room to keep to, such as a result, is written all the same
    storage.put("jobs/1/result", b"x" * 1000)


def test_discard_may_be_called_again(storage: Storage, folder: Path) -> None:
    writer = storage.writer("jobs/1/a")
    writer.open()
    # When a writer is discarded twice
    writer.discard()
    writer.discard()
    # Then that is no error
    assert files(folder) == []


def test_bytes_and_names_are_on_the_disk_before_an_object_counts(
    storage: Storage, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a watch on what is flushed and renamed
    done: list[str] = []
    sync, replace = os.fsync, Path.replace

    def watched_sync(descriptor: int) -> None:
        target = os.readlink(f"/proc/self/fd/{descriptor}")
        done.append("bytes" if target.endswith(".part") else f"folder {Path(target).name}")
        sync(descriptor)

    def watched_replace(path: Path, target: Path) -> Path:
        done.append("rename")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", watched_sync)
    monkeypatch.setattr(Path, "replace", watched_replace)
    # When an object is stored in new folders
    storage.put("jobs/1/a", b"x")
    # Then its bytes are flushed before the rename, and after it every folder that got an entry; the store's own before
    assert done == [f"folder {folder.parent.name}", "bytes", "rename", "folder 1", "folder jobs", "folder storage"]
    # And a second one there needs only its own folder
    done.clear()
    storage.put("jobs/1/b", b"x")
    assert done == ["bytes", "rename", "folder 1"]


def test_an_unfinished_object_has_a_short_name(storage: Storage, folder: Path) -> None:
    # Given a key whose last part is as long as a name may be
    key = f"jobs/1/{'a' * 251}.wav"
    # When it is stored, then there is room for the unfinished one's name too
    storage.put(key, b"sound")
    assert storage.get(key) == b"sound"


def test_a_full_disk_is_said_and_leaves_nothing(storage: Storage, folder: Path) -> None:
    # Given a limit that the operating system enforces
    with file_size_limit(1024 * 1024), pytest.raises(StorageFull) as caught:
        # When more is written
        storage.put("jobs/1/a", [b"x" * 700_000] * 2)
    # Then the error has a remedy, and nothing remains
    assert caught.value.code == "storage_full"
    assert "Free space" in caught.value.hint
    assert files(folder) == []


def test_a_disk_that_is_full_when_flushing_is_said_too(
    storage: Storage, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a disk that finds out late
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    # When an object is finished, then it fails and leaves nothing
    with pytest.raises(StorageFull):
        storage.put("jobs/1/a", b"x")
    assert files(folder) == []


def test_a_folder_that_cannot_be_written_is_unavailable(folder: Path) -> None:
    # Given a store under what is a file
    folder.write_bytes(b"")
    # When something is put there, then the store is unavailable
    with pytest.raises(Unavailable) as caught:
        Storage(f"file://{folder}").put("jobs/1/a", b"x")
    assert caught.value.code == "storage_unavailable"


def test_a_store_that_is_gone_is_not_made_anew(storage: Storage, folder: Path) -> None:
    # Given a store that was in use, and whose folder is gone, as when its disk is not mounted
    storage.put("jobs/1/a", b"x")
    folder.rename(folder.with_name("elsewhere"))
    # When something is put there, or it is asked how much room there is, then it is unavailable
    for use in (lambda: storage.put("jobs/1/b", b"x"), storage.check, storage.free):
        with pytest.raises(Unavailable) as caught:
            use()
        assert caught.value.code == "storage_unavailable"
        # And what the operating system says is not for everybody
        assert str(folder) not in caught.value.message
    assert not folder.exists()
    # And when it is back, all is well
    folder.with_name("elsewhere").rename(folder)
    storage.put("jobs/1/b", b"x")
    assert storage.get("jobs/1/a") == b"x"


@pytest.mark.parametrize("code", [errno.EACCES, errno.EPERM, errno.EROFS])
def test_a_store_that_refuses_counts_as_an_attempt(
    storage: Storage, folder: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    # Given a store that may not be written
    def refuse(descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", refuse)
    # When something is put there, then somebody has to act, and the task is to say so in the end
    with pytest.raises(StorageRefused) as caught:
        storage.put("jobs/1/a", b"x")
    assert caught.value.code == "storage_refused"
    assert caught.value.retryable
    monkeypatch.undo()
    assert files(folder) == []


def test_the_room_that_is_left_is_that_of_the_disk(storage: Storage, folder: Path) -> None:
    # When a local store is asked, then it says what its file system does; an object store does not know
    found = storage.free()
    assert found is not None
    assert abs(found - shutil.disk_usage(folder.parent).free) < 1024**3
    assert Storage("memory://bucket").free() is None


def test_what_is_not_there_is_not_found(storage: Storage) -> None:
    # When something that is gone is opened, then that is said with its key
    with pytest.raises(NotFound, match="jobs/1/gone") as caught:
        storage.open("jobs/1/gone")
    assert caught.value.code == "artifact_missing"
    with pytest.raises(NotFound), storage.local_path("jobs/1/gone"):
        pass


@pytest.mark.parametrize("key", ["", "../a", "a/../b", "/a", "a//b", "a/", "./a", "a\0b"])
def test_a_key_cannot_leave_the_store(storage: Storage, key: str) -> None:
    with pytest.raises(ValueError, match="invalid storage key"):
        storage.put(key, b"x")


def test_writing_and_deleting_at_once_never_fails(storage: Storage) -> None:
    # Given objects that come and go in one folder, which is pruned whenever it is empty
    errors: list[Exception] = []

    def churn(name: str) -> None:
        try:
            for _ in range(50):
                storage.put(f"jobs/1/{name}", b"x")
                storage.delete(f"jobs/1/{name}")
        except Exception as error:
            errors.append(error)

    # When several threads do that at once
    threads = [threading.Thread(target=churn, args=(str(number),)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Then none of them trips over another
    assert errors == []


def test_a_folder_that_another_makes_and_prunes_at_that_moment_is_made_again(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given somebody who makes the same folder first, and has pruned it before that is looked at
    make, raced = Path.mkdir, list[Path]()

    def lose(folder: Path, *given: Any, **more: Any) -> None:
        if folder.name == "1" and not raced:
            raced.append(folder)
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(folder))
        make(folder, *given, **more)

    monkeypatch.setattr(Path, "mkdir", lose)
    # When something is put there, then it is there all the same
    storage.put("jobs/1/a", b"x")
    assert (storage.get("jobs/1/a"), len(raced)) == (b"x", 1)


def test_check_leaves_nothing(storage: Storage, folder: Path) -> None:
    storage.check()
    assert files(folder) == []


def test_check_says_what_is_wrong(folder: Path) -> None:
    folder.write_bytes(b"")
    with pytest.raises(Unavailable, match="does not answer"):
        Storage(f"file://{folder}").check()


class ShowsWhenClosed(io.BytesIO):
    """A file of an object store, as fsspec has them: closing publishes, and so does collecting one that is open."""

    def __init__(self, shown: dict[str, bytes], path: str) -> None:
        super().__init__()
        self._shown, self._path, self._discarded = shown, path, False

    def discard(self) -> None:
        self._discarded = True

    def close(self) -> None:
        if not self.closed and not self._discarded:
            self._shown[self._path] = self.getvalue()
        super().close()


def test_an_object_store_shows_only_what_was_finished(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a store that shows what is closed
    shown: dict[str, bytes] = {}
    storage = Storage("memory://bucket")
    monkeypatch.setattr(type(storage._fs), "open", lambda fs, path, mode, block_size: ShowsWhenClosed(shown, path))
    # When one object is finished and another breaks off
    storage.put("jobs/1/whole", b"all of it")
    with pytest.raises(RuntimeError):
        break_off(storage, "jobs/1/half")
    gc.collect()
    # Then only the first is there
    assert shown == {"/bucket/jobs/1/whole": b"all of it"}


def test_a_store_that_there_is_not_is_named() -> None:
    with pytest.raises(InputError, match="s4://") as refused:
        Storage("s4://bucket")
    assert refused.value.code == "invalid_setting"
    assert "OCTAVIA_STORAGE_URL" in refused.value.hint
