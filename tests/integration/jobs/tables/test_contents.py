"""Small files are in their rows, large ones in the storage; who reads them need not know."""

from pathlib import Path

import pytest

from octavia.errors import NotFound
from octavia.jobs.tables import contents
from octavia.jobs.tables.records import NewArtifact
from octavia.storage import Storage


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(f"file://{tmp_path}")


@pytest.mark.parametrize("in_row", [True, False])
def test_a_file_reads_alike_wherever_it_is(storage: Storage, *, in_row: bool) -> None:
    # Given a file in its row, or in the storage
    file = NewArtifact("a.txt", "text/plain", 5, "0", "jobs/x/a.txt", content=b"words" if in_row else None)
    if not in_row:
        storage.put(file.storage_key, b"words")
    # Then it is there, whole and from any place on
    assert contents.exists(storage, file)
    assert contents.read(storage, file) == b"words"
    with contents.opened(storage, file) as opened:
        opened.seek(2)
        assert opened.read(2) == b"rd"


def test_an_empty_file_in_its_row_is_there(storage: Storage) -> None:
    file = NewArtifact("a.txt", "text/plain", 0, "0", "jobs/x/a.txt", content=b"")
    assert contents.exists(storage, file)
    assert contents.read(storage, file) == b""


def test_a_file_that_the_storage_lost_is_missed(storage: Storage) -> None:
    file = NewArtifact("a.txt", "text/plain", 5, "0", "jobs/x/a.txt")
    assert not contents.exists(storage, file)
    with pytest.raises(NotFound):
        contents.read(storage, file)
