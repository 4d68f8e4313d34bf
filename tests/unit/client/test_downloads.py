"""Files are saved where the user said and under a plain name, whatever a server sends, and whatever lies there."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from octavia.client import Artifact, AsyncOctavia, Damaged, Octavia
from octavia.client.downloads import BLOCK, safe_path

ID = "019dd2c6-0000-7000-8000-000000000000"
DATA = b"RIFF" * 100


class Endless(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body that does not end by itself, and knows how much of it was read."""

    def __init__(self) -> None:
        self.blocks = 0

    def __iter__(self) -> Any:
        while self.blocks < 1000:
            self.blocks += 1
            yield bytes(BLOCK)

    async def __aiter__(self) -> Any:
        for block in self:
            yield block


class Serving(httpx.MockTransport):
    """A server that sends this as every file, and counts the requests."""

    def __init__(self, body: bytes | Endless = DATA) -> None:
        super().__init__(self._answer)
        self.body = body
        self.requests = 0

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        if isinstance(self.body, bytes):
            return httpx.Response(200, content=self.body)
        return httpx.Response(200, stream=self.body)


def artifact(name: str, data: bytes = DATA) -> Artifact:
    digest = hashlib.sha256(data).hexdigest()
    # Built as it would be parsed from an answer, where JSON can express any name.
    values = {"name": name, "media_type": "audio/wav", "size": len(data), "sha256": digest}
    return Artifact.model_validate({**values, "created_at": "2026-05-01T12:00:00Z"})


def synchronous(serving: Serving, found: Artifact, to: Path) -> Path:
    with Octavia("http://octavia.test", transport=serving) as octavia:
        return octavia.download(ID, found, to)


def asynchronous(serving: Serving, found: Artifact, to: Path) -> Path:
    async def download() -> Path:
        async with AsyncOctavia("http://octavia.test", transport=serving) as octavia:
            return await octavia.download(ID, found, to)

    return anyio.run(download)


Save = Callable[[Serving, Artifact, Path], Path]
both = pytest.mark.parametrize("save", [synchronous, asynchronous])

UNSAFE = [
    *(
        "",
        ".",
        "..",
        "/",
        "//",
        "../dub.wav",
        "a/../../dub.wav",
        "a/../dub.wav",
        "/etc/passwd",
        "a//b",
        "a/",
        "./dub.wav",
    ),
    *(".bashrc", ".ssh/authorized_keys", "partial/.git/config", ".dub.wav", "...", "dub.wav\0", "\0", "a\0b/dub.wav"),
    *("..\\dub.wav", "C:\\dub.wav", "C:dub.wav", "\\\\server\\share", "dub.wav:stream", "dub.wav::$DATA"),
    *(
        "con",
        "NUL.wav",
        "con .txt",
        "COM\u00b9",
        "LPT\u00b3.wav",
        "aux:",
        "CONIN$",
        "a/prn.txt/b",
        "\uff43\uff4f\uff4e",
    ),
    *("dub.wav ", "dub.wav.", " dub.wav", "-rf", "~root", "*.wav", "a|b", "dub?.wav", "<dub>", 'a"b'),
    *("dub\n.wav", "dub\x1b[2J.wav", "dub\u202evaw.exe", "dub\u2028.wav", "\udcff.wav", "dub\x7f", "dub\x85"),
    *("a" * 256, "\u8a9e" * 86, "a/" * 150 + "dub.wav", "a" * 100_000, "/" * 100_000, "." * 100_000),
]


@both
@pytest.mark.parametrize("name", UNSAFE, ids=lambda name: ascii(name[:9]))
def test_an_unsafe_name_is_refused_before_anything_is_asked_or_written(save: Save, name: str, tmp_path: Path) -> None:
    # Given a server that means harm
    folder, serving = tmp_path / "results", Serving()
    folder.mkdir()
    # When a file is saved under the name that it gives
    with pytest.raises(Damaged) as refused:
        save(serving, artifact(name), folder)
    # Then there is no file, neither in the folder nor beside it
    assert list(tmp_path.rglob("*")) == [folder]
    assert serving.requests == 0
    # And the user learns what is wrong, and what to do
    assert refused.value.code == "unsafe_name"
    assert len(refused.value.message) < 1500
    assert refused.value.hint
    # And a name of one's own works, if an address can name the file at all
    if len(name) < 1000 and name != "\udcff.wav":
        assert save(serving, artifact(name), folder / "mine.wav").read_bytes() == DATA


@both
@pytest.mark.parametrize(
    "name", ["dub.wav", "talk.es.mp4", "partial/transcribe/0003/transcript.json", "会議 (1)~2.m4a"]
)
def test_a_plain_name_is_taken(save: Save, name: str, tmp_path: Path) -> None:
    assert save(Serving(), artifact(name), tmp_path) == tmp_path / name
    assert (tmp_path / name).read_bytes() == DATA


@both
def test_links_do_not_lead_out_of_the_folder(save: Save, tmp_path: Path) -> None:
    # Given a folder with links, for a folder and for a file
    folder, other = tmp_path / "results", tmp_path / "other"
    folder.mkdir()
    other.mkdir()
    (other / "dub.wav").write_bytes(b"mine")
    (folder / "partial").symlink_to(other)
    (folder / "dub.wav").symlink_to(other / "dub.wav")
    # When something is saved there, Then nothing outside is touched
    for name in ("partial/dub.wav", "partial/new.wav", "dub.wav"):
        with pytest.raises(Damaged):
            save(Serving(), artifact(name), folder)
    assert [path.name for path in other.iterdir()] == ["dub.wav"]
    assert (other / "dub.wav").read_bytes() == b"mine"
    # But the folder itself may be a link of the user's
    (tmp_path / "link").symlink_to(other)
    assert save(Serving(), artifact("dub.wav"), tmp_path / "link").read_bytes() == DATA


@both
@pytest.mark.parametrize("kept", [b"mine", DATA])
def test_a_link_in_place_of_the_unfinished_file_is_not_followed(save: Save, kept: bytes, tmp_path: Path) -> None:
    # Given a folder that others may write to, where the name of the unfinished file can be foreseen
    found, victim = artifact("dub.wav"), tmp_path / "victim"
    victim.write_bytes(kept)
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / f".dub.wav.{found.sha256[:12]}.part").symlink_to(victim)
    # When a file is saved there, Then it is an error, and the file that the link names is as it was
    with pytest.raises(OSError, match="symbolic link"):
        save(Serving(), found, tmp_path / "shared")
    assert victim.read_bytes() == kept
    assert not (tmp_path / "shared" / "dub.wav").exists()


@both
def test_a_file_is_never_longer_than_it_was_said_to_be(save: Save, tmp_path: Path) -> None:
    # Given a server that sends and sends
    endless = Endless()
    serving = Serving(endless)
    # When a small file is saved
    with pytest.raises(Damaged):
        save(serving, artifact("dub.wav"), tmp_path)
    # Then the client soon stops, does not try again, and keeps nothing
    assert endless.blocks < 5
    assert serving.requests == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("digest", ["../../../../x", "a\0b", "", "A" * 64, "0" * 63 + "\n", "0" * 64 + "\n"])
def test_a_digest_is_nothing_else(digest: str) -> None:
    # Its beginning is a part of a file's name
    with pytest.raises(ValueError, match="sha256"):
        Artifact.model_validate(artifact("dub.wav").model_dump() | {"sha256": digest})


def test_a_path_is_in_its_folder(tmp_path: Path) -> None:
    assert safe_path(tmp_path, "a/b.wav") == tmp_path / "a" / "b.wav"
