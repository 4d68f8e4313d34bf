"""Media in a process of its own: the same results, little that it may do, and an end for it that hurts nobody."""

import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import psutil
import pytest
from structlog.testing import capture_logs

from octavia.errors import InputError, OctaviaError, Unavailable
from octavia.media import decode as in_process
from octavia.media.probe import probe
from octavia.media.sandbox import process
from octavia.media.sandbox.parent import Sandbox
from octavia.media.sandbox.process import DecoderLost
from tests.support.hostile import matroska_with_subtitles
from tests.support.media import recording, tone, wav, wav_header
from tests.support.waiting import until

MIB = 1024 * 1024
LONG = 1_200


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:  # also one that somebody reaps while we look
        return True


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    box = Sandbox()
    yield box
    box.close()


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty minutes of a tone, in a file of 38 MB."""
    path = tmp_path_factory.mktemp("media") / "long.wav"
    second = (tone(1) * 32_767).astype("<i2").tobytes()
    with path.open("wb") as file:
        file.write(wav_header(LONG * len(second)))
        for _ in range(LONG):
            file.write(second)
    return path


@pytest.fixture
def short(tmp_path: Path) -> Path:
    path = tmp_path / "short.wav"
    path.write_bytes(wav(tone(2)))
    return path


def whole(box: Sandbox, path: Path, **more) -> np.ndarray:
    return np.concatenate(list(box.decode(path, **more)))


@pytest.mark.parametrize(
    ("format", "more"),
    [
        ("wav", {"audio": "pcm_s16le", "rate": 8_000}),
        ("flac", {"audio": "flac", "rate": 44_100, "layout": "stereo"}),
        ("mp3", {"audio": "libmp3lame", "rate": 44_100}),
        ("ogg", {"audio": "libopus", "rate": 48_000}),
        ("mp4", {"audio": "aac", "video": "mpeg4", "late": 1.5}),
        ("matroska", {"audio": "aac", "video": "mpeg4", "gap": (2.0, 3.0)}),
    ],
)
def test_the_results_are_those_of_decoding_here(box: Sandbox, tmp_path: Path, format: str, more: dict) -> None:
    # Given a recording
    path = tmp_path / "media"
    path.write_bytes(recording(format, **more))
    # When it is probed and decoded in a process of its own, at two rates
    # Then the headers and every sample are as if that was done here
    assert box.probe(path) == probe(path)
    for rate in (16_000, 24_000):
        samples = whole(box, path, rate=rate)
        assert samples.dtype == np.float32
        assert np.array_equal(samples, np.concatenate(list(in_process.decode(path, rate=rate))))


def test_a_film_with_subtitles_is_read(box: Sandbox, tmp_path: Path) -> None:
    # Given a track of a kind that was not met before, and nothing can be loaded any more
    path = _written(tmp_path, matroska_with_subtitles(recording("matroska", audio="flac", seconds=2)))
    with av.open(str(path)) as container:
        assert [stream.type for stream in container.streams] == ["audio", "subtitle"]
    # When it is read, then the sound is there
    assert len(whole(box, path)) == 32_000


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty_file"),
        (b"hello", "not_media"),
        (recording("mp4", audio=None, video="mpeg4"), "no_audio"),
        (wav(tone(20))[:100_000], "truncated_media"),
        (wav(tone(70)), "media_too_long"),
    ],
    ids=["empty", "text", "silent film", "cut", "long"],
)
def test_a_file_at_fault_is_told_and_the_process_goes_on(box: Sandbox, tmp_path: Path, data: bytes, code: str) -> None:
    # Given a running process
    pid, deaths = box.start().pid, box.deaths
    path = tmp_path / "media"
    path.write_bytes(data)
    # When a file is at fault
    with pytest.raises(InputError) as caught:
        whole(box, path, longest=60.0)
    # Then that is said as ever, and the same process takes the next one
    assert (caught.value.code, caught.value.field, caught.value.retryable) == (code, "file", False)
    assert caught.value.hint
    assert (box.start().pid, box.deaths) == (pid, deaths)


def test_a_declared_length_that_is_too_long_is_refused_before_decoding(box: Sandbox, long: Path) -> None:
    blocks = box.decode(long, longest=60.0)
    with pytest.raises(InputError) as caught:
        next(blocks)
    assert caught.value.code == "media_too_long"


def test_it_may_do_little(box: Sandbox, short: Path) -> None:
    # Given a process that has read a file
    box.probe(short)
    pid = box.start().pid
    # Then the kernel holds it to its limits
    limits = {line[:26].strip(): line[26:].split()[0] for line in Path(f"/proc/{pid}/limits").read_text().splitlines()}
    assert limits["Max open files"] == "5"
    assert (limits["Max file size"], limits["Max core file size"], limits["Max processes"]) == ("0", "0", "0")
    assert int(limits["Max cpu time"]) < 60
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    assert int(limits["Max address space"]) < (int(status["VmSize"].split()[0]) * 1024) + 300 * MIB
    assert status["NoNewPrivs"].strip() == "1"
    assert status["Threads"].strip() == "1"
    # And it stays small
    assert int(status["VmHWM"].split()[0]) * 1024 < 120 * MIB


def test_it_gets_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a worker that has passwords in its environment
    monkeypatch.setenv("OCTAVIA_DATABASE_URL", "postgresql+psycopg://octavia:hunter2@db/octavia")
    given: list[dict[str, str]] = []
    popen = subprocess.Popen

    def noted(*arguments, **options):
        given.append(options["env"])
        return popen(*arguments, **options)

    monkeypatch.setattr(process.subprocess, "Popen", noted)
    # When the process is started, then it gets none of them
    box = Sandbox()
    box.start()
    box.close()
    assert "hunter2" not in str(given)
    assert given[0].keys() <= {"OPENBLAS_NUM_THREADS", "MALLOC_ARENA_MAX", "LD_LIBRARY_PATH"}


LEAVE = """
import socket, sys
from octavia.media.sandbox import namespaces
left = namespaces.leave_network()
reached = []
for family, address in ((socket.AF_INET, ("127.0.0.1", int(sys.argv[1]))), (socket.AF_UNIX, sys.argv[2])):
    try:
        socket.socket(family).connect(address)
        reached.append(family.name)
    except OSError:
        pass
print(left, *reached)
"""


def test_a_process_that_has_left_the_network_reaches_nobody() -> None:
    # Given two listeners on this machine, one of them known by name alone
    name = f"\0octavia-test-{os.getpid()}"
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket(socket.AF_UNIX) as named:
        named.bind(name)
        named.listen()
        port = listener.getsockname()[1]
        # When a process leaves the network and looks for them
        command = [sys.executable, "-c", LEAVE.replace("sys.argv[2]", repr(name)), str(port)]
        left, *reached = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    # Then it finds neither, or says that the system did not let it leave
    assert reached == ([] if left == "True" else ["AF_INET", "AF_UNIX"])


def test_the_processor_time_of_a_request_ends() -> None:
    # Given a process that allowed itself one second
    code = """
from octavia.media.sandbox.confinement import CpuAllowance, give_up_rights
give_up_rights(network_left=False)
CpuAllowance(0.2)
while True:
    pass
"""
    # When it goes on without end, then the kernel ends it
    began = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    ended = subprocess.run([sys.executable, "-c", code], timeout=60)
    assert ended.returncode == -signal.SIGXCPU
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - began < 4


@pytest.mark.parametrize(
    ("number", "code", "retryable"),
    [
        (signal.SIGSEGV, "decoder_crashed", False),
        (signal.SIGABRT, "decoder_crashed", False),
        (signal.SIGXCPU, "media_too_complex", False),
        (signal.SIGKILL, "decoder_lost", True),
        (signal.SIGTERM, "decoder_lost", True),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_how_it_dies_tells_whose_fault_it_is(
    box: Sandbox, long: Path, short: Path, number: int, code: str, retryable: bool
) -> None:
    # Given a process in the middle of a file
    pid, deaths = box.start().pid, box.deaths
    blocks = box.decode(long)
    next(blocks)
    # When it dies
    os.kill(pid, number)
    with capture_logs() as logs, pytest.raises(OctaviaError) as caught:
        list(blocks)
    # Then the file is at fault for what a file can cause, and else the task is worth another attempt
    assert (caught.value.code, caught.value.retryable) == (code, retryable)
    assert caught.value.hint
    # And the death is counted, and another process takes the next file
    assert box.deaths == deaths + 1
    (line,) = [line for line in logs if line["event"] == "sandbox_ended"]
    assert (line["code"], line["deaths"]) == (code, box.deaths)
    assert len(whole(box, short)) == 32_000
    assert box.start().pid != pid
    assert gone(pid)


def test_one_that_died_between_two_files_is_replaced_without_a_word(box: Sandbox, short: Path) -> None:
    pid, deaths = box.start().pid, box.deaths
    os.kill(pid, signal.SIGKILL)
    until(lambda: gone(pid))
    assert len(whole(box, short)) == 32_000
    assert box.deaths == deaths


def test_one_that_says_nothing_any_more_is_killed(long: Path) -> None:
    # Given a little patience, and a process that hangs, already before its first block: on a busy machine that alone
    # may take longer than there is patience
    box = Sandbox(patience=0.5)
    pid = box.start().pid
    os.kill(pid, signal.SIGSTOP)
    # When it is asked for something, then it is killed, and the task is worth another attempt
    with pytest.raises(DecoderLost):
        list(box.decode(long))
    assert gone(pid)
    assert box.deaths == 1
    box.close()


def test_one_that_does_not_start_is_told(monkeypatch: pytest.MonkeyPatch, short: Path) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(DecoderLost, match="ended with 1"):
        Sandbox().probe(short)


def test_a_disk_that_does_not_give_the_file_is_no_fault_of_the_file(box: Sandbox, tmp_path: Path) -> None:
    # Given a file that cannot be read
    with (tmp_path / "media").open("wb") as file, pytest.raises(Unavailable) as caught:
        box.probe(file)
    # Then that is a matter of the storage
    assert caught.value.code == "storage_unavailable"
    assert len(whole(box, _written(tmp_path, wav(tone(1))))) == 16_000


def _written(folder: Path, data: bytes) -> Path:
    path = folder / "written"
    path.write_bytes(data)
    return path


def test_it_does_not_run_ahead_of_who_listens(box: Sandbox, long: Path) -> None:
    # Given somebody who takes one block and no more for now
    with long.open("rb") as file:
        blocks = box.decode(file)
        first = next(blocks)

        def stands() -> bool:
            before = os.lseek(file.fileno(), 0, os.SEEK_CUR)
            time.sleep(0.2)
            return os.lseek(file.fileno(), 0, os.SEEK_CUR) == before

        # When it has come as far as it goes, which shows in the position that both share
        until(stands)
        # Then it has read little of the 38 MB
        assert os.lseek(file.fileno(), 0, os.SEEK_CUR) < 4 * MIB
        # And it goes on where it was
        assert len(first) + sum(map(len, blocks)) == LONG * 16_000


def test_the_rest_of_an_answer_that_nobody_wants_reaches_nobody(box: Sandbox, long: Path, short: Path) -> None:
    # Given somebody who leaves in the middle
    pid = box.start().pid
    blocks = box.decode(long)
    next(blocks)
    blocks.close()
    assert gone(pid)
    # When the next file comes, then its sound is its own
    deaths = box.deaths
    assert np.array_equal(whole(box, short), np.concatenate(list(in_process.decode(short))))
    assert box.deaths == deaths


def test_two_answers_at_once_do_not_mix(box: Sandbox, long: Path, short: Path) -> None:
    # Given an answer that is taken slowly
    slow = box.decode(long)
    first = next(slow)
    # When another file is read meanwhile
    between = whole(box, short)
    # Then each gets its own
    assert len(between) == 32_000
    assert len(first) + sum(map(len, slow)) == LONG * 16_000


def test_it_is_replaced_after_a_while(short: Path) -> None:
    # Given a process that has answered its share
    box = Sandbox(most_requests=3)
    pids = []
    for _ in range(4):
        pids.append(box.start().pid)
        box.probe(short)
    # Then another one goes on, and nothing of that is a death
    assert len(set(pids[:3])) == 1
    assert pids[3] != pids[0]
    assert gone(pids[0])
    assert box.deaths == 0
    box.close()


STARTER = """
import sys, threading, time
from octavia.media.sandbox.parent import Sandbox
box = Sandbox()
def work():
    print(box.start().pid, flush=True)
    if sys.argv[1] == "process":
        time.sleep(60)
thread = threading.Thread(target=work)
thread.start()
time.sleep(60)
"""


@pytest.mark.parametrize("who", ["process", "thread"])
def test_it_ends_with_who_started_it(who: str) -> None:
    # Given a process that has started one
    starter = subprocess.Popen([sys.executable, "-c", STARTER, who], stdout=subprocess.PIPE, text=True)
    with starter:
        assert starter.stdout is not None
        pid = int(starter.stdout.readline())
        # When it is killed, or only its thread ends, Then the other does not live on
        if who == "process":
            starter.kill()
        until(lambda: gone(pid))
        starter.kill()


def test_a_stop_signal_to_all_of_a_worker_does_not_reach_it(box: Sandbox) -> None:
    assert os.getpgid(box.start().pid) != os.getpgid(0)
