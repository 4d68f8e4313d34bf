"""Room is given to one at a time, kept for those it was promised to, and found anew for every block."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from octavia.storage import Reservation, Space, StorageFull

MIB = 1024**2


class Disk:
    """A disk with so many free bytes."""

    def __init__(self, free: int | None) -> None:
        self.left = free

    def free(self) -> int | None:
        return self.left

    def write(self, room: Reservation, size: int) -> None:
        with room.writing(size):
            assert self.left is not None
            self.left -= size


def test_reserve_leaves_the_floor() -> None:
    space = Space(Disk(150).free, 100)
    # When an object fits exactly, then it has its room, and nothing else has any
    space.reserve(50)
    space.check()
    for size in (1, 50):
        with pytest.raises(StorageFull) as caught:
            space.reserve(size)
        assert caught.value.code == "storage_full"
        assert "OCTAVIA_MIN_FREE_BYTES" in caught.value.hint


def test_check_refuses_below_the_floor() -> None:
    with pytest.raises(StorageFull):
        Space(Disk(99).free, 100).check()


def test_a_storage_that_does_not_tell_takes_everything() -> None:
    space = Space(Disk(None).free, 100)
    space.check()
    with space.reserve(2**60).writing(2**60):
        pass


def test_release_gives_back_what_was_not_written() -> None:
    disk = Disk(150)
    space = Space(disk.free, 100)
    # Given an object that has its room, and takes less
    room = space.reserve(50)
    disk.write(room, 20)
    with pytest.raises(StorageFull):
        space.reserve(1)
    # When it is done, then the rest is free, once
    room.release()
    room.release()
    with pytest.raises(StorageFull):
        space.reserve(31)
    space.reserve(30)


def test_writing_takes_from_what_was_promised_and_nothing_from_others() -> None:
    disk = Disk(200)
    space = Space(disk.free, 100)
    promised, other = space.reserve(60), space.reserve()
    # When an object without a promise takes what is left, then there is no more for it
    disk.write(other, 40)
    with pytest.raises(StorageFull), other.writing(1):
        pass
    # And the promise holds, to its last byte
    for _ in range(6):
        disk.write(promised, 10)
    assert disk.left == 100
    with pytest.raises(StorageFull), promised.writing(1):
        pass


def test_a_reservation_holds_as_much_as_it_has_earned() -> None:
    # Given room for one object of a gigabyte and a half
    disk = Disk(1536 * MIB)
    space = Space(disk.free, 0)
    first = space.reserve(1024 * MIB)
    # When one of a gigabyte is announced and nothing of it comes, then as large a one is let in
    space.reserve(1024 * MIB).release()
    # And once a fifth of it has come, all of it is held
    for _ in range(205):
        disk.write(first, MIB)
    with pytest.raises(StorageFull):
        space.reserve(513 * MIB)
    other = space.reserve()
    disk.write(other, 512 * MIB)
    with pytest.raises(StorageFull):
        disk.write(other, 1)
    # And so it is written whole
    disk.write(first, (1024 - 205) * MIB)
    assert disk.left == 0


def test_writing_sees_what_other_processes_have_taken() -> None:
    disk = Disk(200)
    room = Space(disk.free, 100).reserve(60)
    # When others have taken the room that was promised, then it is not there
    disk.left = 130
    disk.write(room, 30)
    with pytest.raises(StorageFull), room.writing(1):
        pass


def test_writing_at_once_never_goes_below_the_floor() -> None:
    # Given a disk on which writes show late, when all threads have made theirs
    disk, all_in = Disk(1050), threading.Barrier(10, timeout=30)
    space = Space(disk.free, 1000)

    def write(_: int) -> bool:
        try:
            with space.reserve().writing(10):
                all_in.wait()
            return True
        except StorageFull:
            all_in.wait()
            return False

    # When ten write at once where five fit, then five do
    with ThreadPoolExecutor(10) as pool:
        assert sum(pool.map(write, range(10))) == 5
