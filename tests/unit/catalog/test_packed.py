"""Archives that were made to fill the disk, the memory or the day of whoever unpacks them."""

import bz2
import gzip
import io
import json
import lzma
import struct
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from octavia import programs
from octavia.catalog import archives, bounds

MIB = 1024**2
ZEROS = bytes(MIB)


def packed(path: Path, blocks: Iterable[bytes]) -> None:
    with gzip.open(path, "wb", compresslevel=1) as file:
        for block in blocks:
            file.write(block)


def header(name: str, size: int = 0, kind: bytes = tarfile.REGTYPE) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info.tobuf(tarfile.USTAR_FORMAT)


def padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % tarfile.BLOCKSIZE)


END = header("model.bin") + bytes(2 * tarfile.BLOCKSIZE)


def tarball_of_zeros(path: Path) -> None:
    packed(path, (header("model.bin", 100 * MIB), *[ZEROS] * 100, bytes(1024)))


def tarball_of_zeros_beside_the_model(path: Path) -> None:
    packed(path, (header("package/junk", 100 * MIB), *[ZEROS] * 100, END))


def zip_of_zeros(path: Path, method: int = zipfile.ZIP_DEFLATED, mib: int = 100) -> None:
    with zipfile.ZipFile(path, "w", method, compresslevel=1) as package, package.open("model.bin", "w") as file:
        for _ in range(mib):
            file.write(ZEROS)


def zip_of_bzip2(path: Path) -> None:
    zip_of_zeros(path, zipfile.ZIP_BZIP2, 4)


def zip_of_lzma(path: Path) -> None:
    zip_of_zeros(path, zipfile.ZIP_LZMA, 4)


def zip_of_one_file_many_times(path: Path) -> None:
    """A directory of 1,000 names for the same bytes: 1 MB of packed zeros becomes 1 GB."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("0000.bin", ZEROS)
        for number in range(1, 1000):
            again = zipfile.ZipInfo(f"{number:04}.bin")
            first = package.filelist[0]
            again.compress_type, again.CRC = first.compress_type, first.CRC
            again.file_size, again.compress_size, again.header_offset = first.file_size, first.compress_size, 0
            # The name in the local header must be the one in the directory.
            again.orig_filename = again.filename
            package.filelist.append(again)
            package.NameToInfo[again.filename] = again


def zip_with_a_huge_directory(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as package:
        package.writestr("model.bin", b"x")
        for number in range(120_000):
            info = zipfile.ZipInfo(f"{number:06}")
            info.header_offset = info.CRC = 0
            package.filelist.append(info)
        package._didModify = True


def tarball_of_many_files(path: Path) -> None:
    packed(path, (header(f"{number}") for number in range(bounds.MOST_FILES + 1)))


def tarball_of_many_folders(path: Path) -> None:
    packed(path, (header(f"{number}", kind=tarfile.DIRTYPE) for number in range(bounds.MOST_FILES + 1)))


def tarball_with_a_huge_header(path: Path) -> None:
    packed(path, (header("x", 100 * MIB, tarfile.XHDTYPE), *[ZEROS] * 100, END))


def tarball_with_a_huge_name(path: Path) -> None:
    packed(path, (header("x", 100 * MIB, tarfile.GNUTYPE_LONGNAME), *[ZEROS] * 100, END))


def tarball_with_a_thousand_headers(path: Path) -> None:
    more = header("x", 512, tarfile.XHDTYPE) + padded(b"11 a=bbbbb\n")
    packed(path, (*[more] * 3000, END))


def tarball_with_many_digits(path: Path) -> None:
    packed(path, (header("x", 60_000, tarfile.XHDTYPE), padded(b"1" * 60_000), END))


def sparse_tarball(path: Path) -> None:
    """Six gigabytes that are not there."""
    head = bytearray(header("model.bin", kind=tarfile.GNUTYPE_SPARSE))
    head[386:398] = head[398:410] = b"%011o\0" % 0
    head[483:495] = b"%011o\0" % (6 << 30)
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    path.write_bytes(bytes(head) + bytes(1024))


def tarball_that_points_backwards(path: Path) -> None:
    """A file of a negative size: its successor is the file itself."""
    head = bytearray(header("model.bin"))
    head[124:136] = b"\xff" + struct.pack(">q", -1024).rjust(11, b"\xff")
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    path.write_bytes(END[:512] + bytes(head) + bytes(1024))


def concatenated_gzips(path: Path) -> None:
    one = gzip.compress(bytes(30 * MIB))
    path.write_bytes(gzip.compress(header("model.bin", 3000 * MIB)) + one * 100)


def bzip2_of_zeros(path: Path) -> None:
    path.write_bytes(bz2.compress(header("model.bin", 100 * MIB) + bytes(100 * MIB)))


def xz_of_zeros(path: Path) -> None:
    path.write_bytes(lzma.compress(header("model.bin", 100 * MIB) + bytes(100 * MIB), preset=0))


def xz_with_a_huge_dictionary(path: Path) -> None:
    path.write_bytes(_with_a_dictionary_of_a_gigabyte(lzma.compress(END, preset=0, check=lzma.CHECK_NONE)))


def _with_a_dictionary_of_a_gigabyte(data: bytes) -> bytes:
    """Change the size in the header of the only block, and the checksum of that header."""
    import zlib

    size = (data[12] + 1) * 4
    block = bytearray(data[12 : 12 + size])
    where = block.index(b"\x21\x01") + 2  # the filter LZMA2, one byte of properties
    block[where] = 36
    block[-4:] = struct.pack("<I", zlib.crc32(bytes(block[:-4])))
    return data[:12] + bytes(block) + data[12 + size :]


BOMBS = [
    tarball_of_zeros,
    tarball_of_zeros_beside_the_model,
    zip_of_zeros,
    zip_of_bzip2,
    zip_of_lzma,
    zip_of_one_file_many_times,
    zip_with_a_huge_directory,
    tarball_of_many_files,
    tarball_of_many_folders,
    tarball_with_a_huge_header,
    tarball_with_a_huge_name,
    tarball_with_a_thousand_headers,
    tarball_with_many_digits,
    sparse_tarball,
    tarball_that_points_backwards,
    concatenated_gzips,
    bzip2_of_zeros,
    xz_of_zeros,
    xz_with_a_huge_dictionary,
]

UNPACK = """
import json, resource, sys, time
from pathlib import Path
from octavia.catalog import archives
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
before, began, refused = peak(), time.process_time(), ""
try:
    archives.extract(Path(sys.argv[1]), "", ("*",), Path(sys.argv[2]))
except archives.BadArchive as error:
    refused = str(error)
print(json.dumps({"refused": refused, "memory": peak() - before, "seconds": time.process_time() - began}))
"""


@pytest.mark.parametrize("make", BOMBS, ids=lambda make: make.__name__)
def test_a_bomb_is_refused_soon_and_in_little_memory(tmp_path: Path, make: Callable[[Path], None]) -> None:
    # Given a small file with far too much in it
    archive, out = tmp_path / "archive", tmp_path / "out"
    make(archive)
    assert archive.stat().st_size < 12 * MIB
    # When it is unpacked, in a process of its own
    command = [sys.executable, "-c", UNPACK, str(archive), str(out)]
    done = subprocess.run(command, env=programs.environment(), capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    # Then it is refused, within bounds of memory, time, bytes and files
    assert found["refused"], found
    assert found["memory"] < 50 * MIB, found
    assert found["seconds"] < 20, found
    written = [path.stat().st_size for path in out.rglob("*") if path.is_file()]
    assert sum(written) <= bounds.unpacked(archive.stat().st_size)
    assert len(written) <= bounds.MOST_FILES


@pytest.mark.parametrize(
    "name",
    ["a" * 4000, "a/" * 1500 + "b", "/etc/passwd", "a/../../b", "a\x00b", "a\nb", "a\u202eb", "x" * 256, "."],
    ids=lambda name: repr(name[:20]),
)
def test_a_path_that_no_model_has_is_refused(tmp_path: Path, name: str) -> None:
    # Given a tarball with such a path, as no file system or no person could read it
    info = tarfile.TarInfo("x")
    info.pax_headers = {"path": name}
    archive = tmp_path / "archive"
    with tarfile.open(archive, "w:gz", format=tarfile.PAX_FORMAT) as tarball:
        info.name = name
        tarball.addfile(info)
    # Then nothing comes of it
    with pytest.raises(archives.BadArchive):
        archives.extract(archive, "", ("*",), tmp_path / "out")
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("twice", [("a", "a"), ("a/B", "A/b"), ("a", "a/b"), ("a/b", "a"), ("STRASSE", "straße")])
def test_two_files_in_one_place_are_refused(tmp_path: Path, twice: tuple[str, str]) -> None:
    # Given names that some file system or other takes for one, or a file that is a folder too
    archive = tmp_path / "archive"
    with tarfile.open(archive, "w:gz") as tarball:
        for name in twice:
            tarball.addfile(tarfile.TarInfo(name))
    with pytest.raises(archives.BadArchive, match="two files in one place"):
        archives.extract(archive, "", ("*",), tmp_path / "out")


def test_devices_and_pipes_are_passed_over(tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    kinds = (tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.LNKTYPE, tarfile.SYMTYPE)
    packed(archive, (*(header(f"{number}", kind=kind) for number, kind in enumerate(kinds)), END))
    archives.extract(archive, "", ("*",), tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["model.bin"]


def damaged(data: bytes, at: bytes, shift: int, new: bytes) -> bytes:
    start = data.rindex(at) + shift
    return data[:start] + new + data[start + len(new) :]


def test_every_damage_is_said_to_be_one(tmp_path: Path) -> None:
    # Given a sound zip and tarball, encrypted, with other sizes, of an unknown method, cut anywhere
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("model.bin", bytes(range(256)) * 40)
    sound = buffer.getvalue()
    directory = b"PK\1\2"
    cases = [
        damaged(sound, directory, 8, b"\1"),
        damaged(sound, directory, 10, b"\x63"),
        damaged(sound, directory, 24, struct.pack("<I", 10)),
        damaged(sound, directory, 42, struct.pack("<I", 2**31)),
    ]
    tarred = gzip.compress(header("model.bin", 10_000) + padded(bytes(range(250)) * 40) + bytes(1024))
    cases += [sound[:cut] for cut in range(4, len(sound), 37)]
    # Without its end a tarball is whole, as long as all of the file is there.
    cases += [tarred[:cut] for cut in range(4, len(tarred) - 60, 17)]
    for number, data in enumerate(cases):
        archive = tmp_path / "archive"
        archive.write_bytes(data)
        # Then each is refused as an archive that is none, and by no other error
        with pytest.raises(archives.BadArchive):
            archives.extract(archive, "", ("*",), tmp_path / f"out{number}")


@pytest.mark.parametrize("suffix", ["tar", "tar.gz", "tar.bz2", "tar.xz", "zip"])
def test_a_model_comes_out_as_it_went_in(tmp_path: Path, suffix: str) -> None:
    # Given a model whose weights do not pack and whose text packs well, in each kind of archive
    files = {"model.bin": bytes(i * 7919 % 251 for i in range(3 * MIB)), "voices/vocabulary.txt": b"word\n" * 900_000}
    archive = tmp_path / f"model.{suffix}"
    if suffix == "zip":
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as package:
            for name, content in files.items():
                package.writestr(name, content)
    else:
        with tarfile.open(archive, f"w:{suffix[4:]}") as tarball:
            for name, content in files.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tarball.addfile(info, io.BytesIO(content))
    # Then all of it is there again, and the names can be listed
    archives.extract(archive, "", ("*",), tmp_path / "out")
    assert {name: (tmp_path / "out" / name).read_bytes() for name in files} == files
    assert sorted(archives.names(archive)) == sorted(files)


def test_a_catalogued_model_may_be_little_larger_than_the_catalogue_says(tmp_path: Path) -> None:
    # Given an archive of 10 MB for a model of 4
    archive = tmp_path / "archive"
    with zipfile.ZipFile(archive, "w") as package:
        package.writestr("model.bin", bytes(10_000_000))
    # Then not all of it is written
    with pytest.raises(archives.TooMuch, match="more than 6 MB"):
        archives.extract(archive, "", ("*",), tmp_path / "out", size=4_000_000)
    # And what the catalogue says about right is taken
    archives.extract(archive, "", ("*",), tmp_path / "again", size=9_500_000)
