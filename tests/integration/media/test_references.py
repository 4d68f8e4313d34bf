"""Media that names other files or addresses: neither is touched."""

import ctypes
import io
import os
import struct
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import pytest

from octavia.errors import InputError
from octavia.media.decode import decode
from octavia.media.probe import probe
from tests.support.media import box, recording, tone, wav

IN_OPEN = 0x20


class Listener:
    """A loopback HTTP server that holds a real recording and remembers who asked."""

    def __init__(self, content: bytes) -> None:
        self.requests: list[str] = []
        requests = self.requests

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                requests.append(self.path)
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/secret.wav"

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class Watch:
    """Linux's own word on whether a file was opened, by whatever library."""

    def __init__(self, path: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self.descriptor = libc.inotify_init1(os.O_NONBLOCK)
        assert libc.inotify_add_watch(self.descriptor, os.fsencode(path), IN_OPEN) >= 0

    def opened(self) -> bool:
        try:
            return bool(os.read(self.descriptor, 4096))
        except BlockingIOError:
            return False

    def close(self) -> None:
        os.close(self.descriptor)


@pytest.fixture
def listener() -> Iterator[Listener]:
    listener = Listener(wav(tone(2)))
    yield listener
    listener.close()


@pytest.fixture
def secret(tmp_path: Path) -> Iterator[tuple[Path, Watch]]:
    """A real recording that nobody should open, under a name that needs no quoting."""
    path = tmp_path / "secret.wav"
    path.write_bytes(wav(tone(2)))
    watch = Watch(path)
    yield path, watch
    watch.close()


def hls(target: str) -> str:
    return f"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXTINF:2.0,\n{target}\n#EXT-X-ENDLIST\n"


def hls_master(target: str) -> str:
    return f"\ufeff\n #EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{target}\n"


def hls_key(target: str) -> str:
    return f'#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="{target}"\n#EXTINF:2.0,\n{target}\n#EXT-X-ENDLIST\n'


def dash(target: str) -> str:
    return (
        '<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
        'mediaPresentationDuration="PT2S">'
        '<Period><AdaptationSet mimeType="audio/wav"><Representation id="1" bandwidth="1">'
        f"<BaseURL>{target}</BaseURL></Representation></AdaptationSet></Period></MPD>\n"
    )


def ffconcat(target: str) -> str:
    return f"ffconcat version 1.0\nfile '{target}'\n"


def concat(target: str) -> str:
    return f"# a list\nfile '{target}'\nfile '{target}'\n"


def sdp(target: str) -> str:
    return "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\na=control:" + target


def pls(target: str) -> str:
    return f"[playlist]\nFile1={target}\nNumberOfEntries=1\n"


def asx(target: str) -> str:
    return f'<asx version="3.0"><entry><ref href="{target}"/></entry></asx>'


def reference(target: str) -> str:
    return f"[Reference]\nRef1={target}\n"


PLAYLISTS = [hls, hls_master, hls_key, dash, ffconcat, concat, sdp, pls, asx, reference]


@pytest.mark.parametrize("playlist", PLAYLISTS)
@pytest.mark.parametrize("name", ["upload", "upload.m3u8", "upload.mpd", "upload.mp3"])
def test_a_playlist_reads_neither_address_nor_file(playlist, name, listener, secret, tmp_path):
    path, watch = secret
    for target in (listener.url, str(path), path.name, f"file:{path}"):
        # Given a playlist beside the file that it names, under a name that invites to read it as one
        upload = tmp_path / name
        upload.write_text(playlist(target))
        # When it is read
        for read in (probe, lambda source: list(decode(source))):
            with pytest.raises(InputError) as caught:
                read(upload)
            assert caught.value.code == "not_media"
    # Then nobody was asked for anything
    assert listener.requests == []
    assert not watch.opened()


@pytest.mark.parametrize("playlist", [hls, hls_key, dash, ffconcat, sdp, pls, asx, reference])
def test_the_refusal_says_that_playlists_are_not_accepted(playlist):
    with pytest.raises(InputError) as caught:
        probe(io.BytesIO(playlist("http://example.org/a.wav").encode()))
    assert "playlist" in caught.value.hint.lower()


@pytest.mark.parametrize("playlist", PLAYLISTS)
def test_a_playlist_that_hides_from_the_first_look_is_not_read_either(playlist, listener):
    # Given text before the playlist, as far as its own reader allows
    for disguise in ("\0\0\0\0", " " * 5_000, "#" + "x" * 70_000 + "\n"):
        with pytest.raises(InputError):
            probe(io.BytesIO((disguise + playlist(listener.url)).encode()))
    assert listener.requests == []


def test_the_watch_and_the_playlist_would_work(secret, tmp_path):
    # Given the same kind of list, read by FFmpeg without our guard; then the file is opened: the tests above can fail
    path, watch = secret
    upload = tmp_path / "upload.txt"
    upload.write_text(ffconcat(path.name))
    with av.open(str(upload), format="concat") as container:
        assert container.streams.audio
    assert watch.opened()


def alias_record(path: str) -> bytes:
    """A QuickTime alias entry of a data reference: here the sound of the track is to be found."""
    name = path.rsplit("/", 1)[-1].encode()
    record = bytes(10) + bytes([4]) + b"disk".ljust(27, b"\0") + bytes(12)
    record += bytes([len(name)]) + name.ljust(63, b"\0") + bytes(16) + struct.pack(">HH", 1, 1) + bytes(16)
    target = path.encode()
    target += b"\0" * (len(target) % 2)
    record += struct.pack(">HH", 2, len(target)) + target + struct.pack(">HH", 0xFFFF, 0)
    return record


def with_alias(data: bytes, path: str) -> bytes:
    """Replace the data references of a QuickTime file, whose index comes last, by an alias to ``path``."""
    record = alias_record(path)
    entry = struct.pack(">I", 12 + len(record)) + b"alis" + bytes(4) + record
    reference = box(b"dref", bytes(4) + struct.pack(">I", 1) + entry)

    def rebuilt(content: bytes) -> bytes:
        result, at = b"", 0
        while at + 8 <= len(content):
            size, kind = struct.unpack_from(">I4s", content, at)
            inner = content[at + 8 : at + size]
            if kind in {b"moov", b"trak", b"mdia", b"minf", b"dinf"}:
                result += box(kind, rebuilt(inner))
            elif kind == b"dref":
                result += reference
            else:
                result += content[at : at + size]
            at += size
        return result

    return rebuilt(data)


def test_a_quicktime_reference_to_another_file_is_not_followed(secret, tmp_path):
    # Given a QuickTime file that says that its sound lies in the file beside it
    path, watch = secret
    upload = tmp_path / "upload.mov"
    upload.write_bytes(with_alias(recording("mov", audio="pcm_s16le", seconds=2), path.name))
    # When it is read
    try:
        for _ in decode(upload):
            pass
    except InputError as error:
        assert error.code in {"not_media", "no_audio", "truncated_media"}  # noqa: PT017 - being read is fine, too
    # Then that file was not opened
    assert not watch.opened()
    # And it would have been, if asked to
    with av.open(str(upload), container_options={"enable_drefs": "1"}) as container:
        list(container.decode(audio=0))
    assert watch.opened()


def test_a_matroska_segment_that_names_the_next_one_is_read_alone(secret, tmp_path):
    # Given a Matroska file whose header names another as its continuation
    path, watch = secret
    data = recording("matroska", audio="flac", seconds=2)
    start = data.index(b"\x57\x41")
    length = data[start + 2] & 0x7F
    name = path.name.encode().ljust(length - 1, b"\0")[: length - 1]
    linked = data[:start] + b"\x3e\x83\xbb" + bytes([0x80 | length - 1]) + name + data[start + 3 + length :]
    upload = tmp_path / "upload.mkv"
    upload.write_bytes(linked)
    # When it is read, then it is two seconds long and the other was not opened
    assert sum(map(len, decode(upload))) == 32_000
    assert not watch.opened()
