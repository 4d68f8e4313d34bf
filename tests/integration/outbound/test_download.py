"""Files over connections that break, from servers that can go on where they stopped and from those that cannot."""

import random
import time
from collections.abc import Iterator
from dataclasses import replace

import anyio
import httpx
import pytest

from octavia import outbound
from octavia.outbound.download import Bounds, Fetched, NotThere, TooLarge, download
from octavia.settings import Settings
from tests.support.files import FileServer

CONTENT = random.Random(1).randbytes(300_000)
BOUNDS = Bounds(largest=1_000_000, bytes_per_second=1000, patience=5)


class Kept:
    """A sink that keeps the bytes and counts the restarts."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.restarts = 0

    @property
    def size(self) -> int:
        return len(self.data)

    def write(self, block: bytes) -> None:
        self.data += block

    def restart(self) -> None:
        self.data.clear()
        self.restarts += 1


@pytest.fixture
def server() -> Iterator[FileServer]:
    with FileServer(CONTENT) as server:
        yield server


@pytest.fixture
def kept() -> Kept:
    return Kept()


def fetch(server: FileServer, kept: Kept, bounds: Bounds = BOUNDS, stall: float = 5) -> Fetched:
    async def run() -> Fetched:
        async with outbound.client(Settings(outbound_allow="127.0.0.1"), timeout=httpx.Timeout(stall)) as client:
            return await download(client, server.url, kept, replace(bounds, first_pause=0.01))

    return anyio.run(run)


def test_a_file_arrives_whole(server: FileServer, kept: Kept) -> None:
    # Given a server that says what its file is
    server.headers = {"Content-Type": "audio/flac", "Content-Disposition": "attachment; filename=talk.flac"}
    # When the file is fetched
    found = fetch(server, kept)
    # Then it is all there, and so is what was said of it
    assert bytes(kept.data) == CONTENT
    assert (found.content_type, found.disposition) == ("audio/flac", "attachment; filename=talk.flac")
    assert server.asked == [(None, None)]


def test_a_broken_connection_is_gone_on_from(server: FileServer, kept: Kept) -> None:
    # Given connections that break twice on the way
    server.cuts = [100_000, 50_000]
    # When the file is fetched
    fetch(server, kept)
    # Then each time only what was missing was asked for, of the same version
    assert bytes(kept.data) == CONTENT
    assert kept.restarts == 0
    assert server.asked == [(None, None), ("bytes=100000-", '"v1"'), ("bytes=150000-", '"v1"')]


def test_without_a_tag_the_date_of_the_last_change_will_do(server: FileServer, kept: Kept) -> None:
    # Given a server that only tells when its file was changed, a while ago
    server.etag, server.modified, server.cuts = None, time.time() - 100, [100_000]
    # When a connection breaks
    fetch(server, kept)
    # Then it is gone on from on that condition
    assert bytes(kept.data) == CONTENT
    assert [condition is not None for _, condition in server.asked] == [False, True]
    assert kept.restarts == 0


@pytest.mark.parametrize(("etag", "age"), [('W/"v1"', None), (None, None), (None, -1000)])
def test_a_file_that_may_have_changed_is_fetched_anew(
    server: FileServer, kept: Kept, etag: str | None, age: int | None
) -> None:
    # Given a server that does not say for certain whether its file is the same
    server.etag, server.cuts = etag, [100_000]
    server.modified = None if age is None else time.time() - age
    # When a connection breaks
    fetch(server, kept)
    # Then all of it is asked for again
    assert bytes(kept.data) == CONTENT
    assert server.asked == [(None, None), (None, None)]
    assert kept.restarts == 1


def test_a_server_that_cannot_go_on_sends_it_anew(server: FileServer, kept: Kept) -> None:
    # Given a server that always sends the whole file
    server.ranges, server.cuts = False, [100_000]
    # When a connection breaks
    fetch(server, kept)
    # Then what was there is replaced
    assert bytes(kept.data) == CONTENT
    assert kept.restarts == 1


def test_a_file_that_changed_meanwhile_is_fetched_anew(server: FileServer, kept: Kept) -> None:
    # Given a file that is replaced while it is fetched
    server.cuts = [100_000]
    server.etag = '"old"'

    class Replacing(Kept):
        def write(self, block: bytes) -> None:
            super().write(block)
            server.etag, server.content = '"new"', CONTENT[::-1]

    kept = Replacing()
    # When its connection breaks
    fetch(server, kept)
    # Then the new one is there, not a mixture
    assert bytes(kept.data) == CONTENT[::-1]


def test_a_part_that_was_not_asked_for_is_not_taken(server: FileServer, kept: Kept) -> None:
    # Given a server that goes on at the wrong place
    server.cuts, server.shift = [100_000], 10
    # When a connection breaks
    fetch(server, kept)
    # Then all of it is fetched again
    assert bytes(kept.data) == CONTENT
    assert [asked for asked, _ in server.asked] == [None, "bytes=100000-", None]


def test_a_server_in_trouble_in_the_middle_costs_nothing(server: FileServer, kept: Kept) -> None:
    # Given a connection that breaks, and a server that is busy for a moment after that
    server.cuts = [100_000]

    class Busy(Kept):
        def write(self, block: bytes) -> None:
            super().write(block)
            if not server.statuses and len(server.asked) == 1:
                server.statuses = [503, 429]

    kept = Busy()
    # When the file is fetched
    fetch(server, kept)
    # Then what was there is kept
    assert bytes(kept.data) == CONTENT
    assert kept.restarts == 0
    assert [asked for asked, _ in server.asked] == [None, *["bytes=100000-"] * 3]


def test_breaking_off_again_and_again_is_an_error(server: FileServer, kept: Kept) -> None:
    # Given a server that sends a little each time
    server.cuts = [1000] * 20
    # When the file is fetched
    with pytest.raises(outbound.UrlUnreachable) as caught:
        fetch(server, kept, Bounds(1_000_000, 1000, 5, resumptions=3))
    # Then it is given up after so many times, and may be tried again later
    assert len(server.asked) == 4
    assert caught.value.retryable
    assert "signature" not in caught.value.message


def test_a_server_that_never_began_is_not_asked_again(server: FileServer, kept: Kept) -> None:
    # Given a server in trouble
    server.statuses = [503, 503]
    # When the file is fetched
    with pytest.raises(outbound.UrlUnreachable, match="503"):
        fetch(server, kept)
    # Then whoever wants it decides when to try again
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [204, 206, 400, 401, 403, 404, 410, 416])
def test_a_file_that_is_not_there_is_an_error_for_good(server: FileServer, kept: Kept, status: int) -> None:
    # Given a server that has no such file, or not for us
    server.statuses = [status]
    # When it is fetched
    with pytest.raises(NotThere, match=str(status)) as caught:
        fetch(server, kept)
    # Then trying again is of no use
    assert not caught.value.retryable
    assert "signature" not in caught.value.message


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_refused(server: FileServer, kept: Kept, status: int) -> None:
    # Given a server that sends elsewhere
    server.statuses, server.headers = [status], {"Location": server.url}
    # When the file is fetched
    with pytest.raises(outbound.UrlNotAllowed, match="redirects"):
        fetch(server, kept)
    # Then nobody goes there
    assert len(server.asked) == 1


def test_a_file_that_says_that_it_is_too_large_is_not_begun(server: FileServer, kept: Kept) -> None:
    # Given a file larger than is taken
    # When it is fetched
    with pytest.raises(TooLarge):
        fetch(server, kept, Bounds(299_999, 1000, 5))
    # Then none of it was kept
    assert kept.size == 0


def test_one_that_does_not_say_so_is_broken_off(server: FileServer, kept: Kept) -> None:
    # Given a file that is larger than is taken and does not say so
    server.length = False
    # When it is fetched
    with pytest.raises(TooLarge):
        fetch(server, kept, Bounds(100_000, 1000, 5))
    # Then no more was kept than is taken
    assert kept.size <= 100_000


def test_a_file_of_unknown_length_arrives(server: FileServer, kept: Kept) -> None:
    # Given a server that does not say how long its file is
    server.length = False
    # When it is fetched
    fetch(server, kept)
    # Then it is all there
    assert bytes(kept.data) == CONTENT


def test_a_stalled_connection_is_broken_off_and_gone_on_from(server: FileServer, kept: Kept) -> None:
    # Given a server that stops in the middle
    server.stalls = [100_000]
    # When the file is fetched, by somebody who waits for longer than the machine stalls
    fetch(server, kept, stall=3)
    # Then another connection brought the rest
    assert bytes(kept.data) == CONTENT
    assert [asked for asked, _ in server.asked] == [None, "bytes=100000-"]


def test_a_dripping_server_is_left(server: FileServer, kept: Kept) -> None:
    # Given a server that sends a block now and then
    server.pause = 0.05
    # When the file is fetched by somebody who expects more
    with pytest.raises(outbound.UrlUnreachable, match="too slowly"):
        fetch(server, kept, Bounds(1_000_000, bytes_per_second=10_000_000, patience=0.1, resumptions=1))
    # Then it was tried once more, and left
    assert len(server.asked) == 2


def test_a_server_that_claims_more_than_it_sends_is_not_believed(server: FileServer, kept: Kept) -> None:
    # Given a server whose file ends before its length
    server.length = len(CONTENT) + 10
    # When it is fetched
    with pytest.raises(outbound.UrlUnreachable):
        fetch(server, kept, Bounds(1_000_000, 1000, 5, resumptions=1))
