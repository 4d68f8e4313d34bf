"""Results that cannot be written."""

import errno
import io
from pathlib import Path

import pytest

from octavia.errors import OctaviaError
from octavia.local import write_result


class Full(io.BytesIO):
    """Breaks off as a disk does that is full."""

    def read(self, size: int | None = -1) -> bytes:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_leaves_no_half_file(tmp_path: Path) -> None:
    with pytest.raises(OctaviaError) as refused:
        write_result(tmp_path / "out" / "dub.wav", Full())
    assert refused.value.code == "storage_full"
    assert "dub.wav" in refused.value.message
    assert refused.value.hint
    assert list((tmp_path / "out").iterdir()) == []


def test_a_place_that_is_taken_is_named(tmp_path: Path) -> None:
    # Given a folder where the file is to be
    (tmp_path / "dub.wav").mkdir()

    with pytest.raises(OctaviaError) as refused:
        write_result(tmp_path / "dub.wav", io.BytesIO(b"RIFF"))
    assert refused.value.code == "folder_unusable"
    assert [path.name for path in tmp_path.iterdir()] == ["dub.wav"]
