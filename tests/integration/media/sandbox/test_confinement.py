"""A decoder that is taken over: everything it may try, against all layers together and each alone."""

import json
import os
import platform
import signal
import subprocess
import sys
from dataclasses import astuple
from functools import cache
from pathlib import Path

import pytest

from octavia.media.decode import decode
from octavia.media.sandbox import process
from octavia.media.sandbox.parent import Sandbox
from octavia.media.sandbox.process import Process
from tests.support import takeover
from tests.support.media import recording, tone, wav
from tests.support.takeover import ACTS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux confines a process like this")

# As root, and as somebody who has no rights at all; else as who we are.
USERS = (0, 65_534) if os.geteuid() == 0 else (0,)
LIMITS = "limits,rights"

# What some systems refuse to an ordinary user, or to everybody in a container.
RARE = {
    "make a device",
    "type into the terminal",
    "make a user namespace",
    "make a namespace",
    "enter the parent's namespaces",
    "change the root",
    "mount",
    "load a program into the kernel",
    "measure the machine",
    "make a personality that runs data",
    "make a ring of requests",
    "handle page faults",
    "add a key",
    "ask for a key ring",
    "read the kernel's log",
    "trace the parent",
    "trace a sibling",
    "take the parent's open file",
    "read the parent's memory",
    "write the parent's memory",
    "open the parent's memory",
    "watch a file",
    "make a POSIX queue of messages",
    "open a file by openat2",
    "change the rights of a file by fchmodat2",
    "set an attribute of a file",
    "set an attribute of the given file",
    "make a socket for IPv6",
    "make a file without a name",
}
# What Landlock holds alone, by the version since which it does.
LANDLOCK = {
    1: {
        "read /etc/passwd",
        "read the database",
        "read the parent's environment",
        "open the parent's memory",
        "read the parent's command line",
        "read its own map of memory",
        "open its own memory",
        "open a file by openat2",
        "list a folder",
        "open a file for writing",
        "open the given file again for writing",
        "make a file",
        "make a file without a name",
        "truncate a file on opening",
        "delete a file",
        "rename a file",
        "link a file",
        "make a symbolic link",
        "make a folder",
        "remove a folder",
        "make a named pipe",
        "make a device",
        "make a named socket",
        "trace the parent",
        "trace a sibling",
        "take the parent's open file",
        "read the parent's memory",
        "write the parent's memory",
        "run a program",
        "run a program from memory",
        "mount",
    },
    3: {"truncate a file"},
    4: {"connect to a port", "listen on a port"},
    6: {
        "signal the parent",
        "signal a sibling",
        "signal another group",
        "signal the parent by tkill",
        "signal the parent by tgkill",
        "signal the parent by its descriptor",
        "queue a signal for the parent",
        "connect to an abstract socket",
    },
}
# What an empty root folder, an empty network and no capabilities hold alone.
NAMESPACES = {
    *(name for name in LANDLOCK[1] if name != "take the parent's open file"),
    "open a file as a place only",
    "look at a file",
    "look at a file as if it were open",
    "look at a file by statx",
    "ask for a right on a file",
    "change its folder",
    "watch a file",
    "truncate a file",
    "change the rights of a file",
    "change the rights of a file by fchmodat2",
    "change the owner of a file",
    "change the times of a file",
    "set an attribute of a file",
    "connect to a port",
    "connect to an abstract socket",
    "connect to a named socket",
    "enter the parent's namespaces",
    "change the root",
    "load a program into the kernel",
    "read the kernel's log",
}


@cache
def tried(layers: str, user: int) -> dict[str, str]:
    """How each act ended for a process with these layers: ``done``, or an error."""
    ran = subprocess.run(
        [sys.executable, "-P", takeover.__file__, layers, str(user)],
        env={**process._ENVIRONMENT, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=150,
    )
    assert ran.returncode == 0, ran.stderr
    return dict(json.loads(line) for line in ran.stdout.splitlines())


def done(layers: str, user: int) -> set[str]:
    return {act for act, outcome in tried(layers, user).items() if outcome == "done"}


@cache
def in_force() -> Process:
    started = Process()
    started.kill()
    return started


def test_the_acts_work_for_a_process_that_is_not_confined() -> None:
    # Given no layer, Then what is denied below is denied by the layers
    outcomes = tried("none", 0)
    assert {act: outcomes[act] for act in ACTS.keys() - RARE if outcomes[act] != "done"} == {}


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("act", ACTS)
def test_a_decoder_that_is_taken_over_cannot(act: str, user: int) -> None:
    # Given the process that decodes, confined as ever, with code of a stranger in it
    # When that tries the act, Then it fails, and the process goes on
    outcome = tried("all", user)[act]
    assert outcome != "done"
    assert not outcome.startswith("ended")


@pytest.mark.parametrize("user", USERS)
def test_seccomp_alone_denies_every_act(user: int) -> None:
    if not in_force().layers.seccomp:
        pytest.skip("this system has no seccomp filters")
    outcomes = tried(f"{LIMITS},seccomp", user)
    assert outcomes.keys() == ACTS.keys()
    assert {act: outcome for act, outcome in outcomes.items() if outcome == "done"} == {}


@pytest.mark.parametrize("user", USERS)
def test_landlock_alone_keeps_from_files_and_from_signals(user: int) -> None:
    version = in_force().layers.landlock
    if not version:
        pytest.skip("this system has no Landlock")
    held = set().union(*(acts for since, acts in LANDLOCK.items() if since <= version))
    assert held <= ACTS.keys()
    assert held & done(f"{LIMITS},landlock", user) == set()


@pytest.mark.parametrize("user", USERS)
def test_namespaces_alone_keep_from_files_and_the_network(user: int) -> None:
    if not (in_force().layers.root_left and in_force().layers.network_left):
        pytest.skip("this system allows no user namespaces")
    assert ACTS.keys() >= NAMESPACES
    assert NAMESPACES & done("network,limits,root,rights,capabilities", user) == set()


def test_what_is_in_force_is_what_the_process_says() -> None:
    # Given a process that is ready
    box = Sandbox()
    layers, pid = box.start().layers, box.start().pid
    # Then the kernel says the same of it
    with open(f"/proc/{pid}/status") as file:
        status = dict(line.split(":", 1) for line in file)
    assert (status["Seccomp"].strip() == "2") is layers.seccomp
    assert status["CapEff"].strip() == status["CapPrm"].strip() == "0" * 16
    if os.geteuid() == 0:
        assert (os.readlink(f"/proc/{pid}/root") != "/") is layers.root_left
        assert (os.readlink(f"/proc/{pid}/ns/net") != os.readlink("/proc/self/ns/net")) is layers.network_left
    box.close()


def run(code: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)


REFUSING = """
import ctypes, struct
def step(code, if_true, if_false, constant):
    return struct.pack("=HBBI", code, if_true, if_false, constant)
def refuse(number, error):
    return step(0x15, 0, 1, number) + step(0x06, 0, 0, 0x50000 | error)
class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("steps", ctypes.c_char_p)]
# Refuse some system calls to this process and its children, as an older kernel, a container or an emulator does.
def load(*steps):
    steps = b"".join([step(0x20, 0, 0, 0), *steps, step(0x06, 0, 0, 0x7FFF0000)])
    libc = ctypes.CDLL(None)
    assert libc.prctl(38, 1, 0, 0, 0) == 0
    assert libc.prctl(22, 2, ctypes.byref(Program(len(steps) // 8, steps)), 0, 0) == 0
"""
LACKING = """
import sys
from dataclasses import astuple
from pathlib import Path
from octavia.media.sandbox.parent import Sandbox
namespaces = refuse(272, 1) + refuse(161, 1)  # unshare and chroot: EPERM
landlock = refuse(444, 38)  # ENOSYS
seccomp = step(0x15, 0, 3, 157) + step(0x20, 0, 0, 16) + refuse(22, 22)  # prctl(PR_SET_SECCOMP): EINVAL
load(*[namespaces, landlock, seccomp][:int(sys.argv[1])])
box = Sandbox()
print(*map(int, map(bool, astuple(box.start().layers))), sum(map(len, box.decode(Path(sys.argv[2])))))
"""


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the numbers of the calls are x86's")
@pytest.mark.parametrize(
    ("lacking", "left"), [(1, "0 0 1 1"), (2, "0 0 0 1"), (3, "0 0 0 0")], ids=["namespaces", "Landlock", "seccomp"]
)
def test_what_a_system_lacks_is_left_out_and_told(lacking: int, left: str, tmp_path: Path) -> None:
    if not all(astuple(in_force().layers)):
        pytest.skip("this system lacks some itself")
    # Given a system without namespaces, or without Landlock or even seccomp too
    sound = tmp_path / "sound.wav"
    sound.write_bytes(wav(tone(2)))
    ran = subprocess.run(
        [sys.executable, "-c", REFUSING + LACKING, str(lacking), str(sound)], capture_output=True, text=True, timeout=60
    )
    # When a process is started, then it has what there is, says so, and decodes
    assert ran.stdout.split() == [*left.split(), "32000"], ran.stderr


@pytest.mark.skipif(platform.machine() != "x86_64" or os.geteuid() != 0, reason="root on x86 has what it takes")
@pytest.mark.parametrize("capable", [True, False])
def test_capabilities_that_cannot_be_given_up_are_an_error_if_there_are_any(capable: bool) -> None:
    # Given a system that refuses capset, and a process that has capabilities, or none
    become = "" if capable else "os.setresuid(65534, 65534, 65534);"
    code = (
        f"import os; from octavia.media.sandbox import capabilities; {become} load(refuse(126, 1)); capabilities.drop()"
    )
    # When they are to be given up, then that fails if it matters
    ended = run(REFUSING + code)
    assert (ended.returncode, "PermissionError" in ended.stderr) == ((1, True) if capable else (0, False))


AS_NOBODY = """
import os, signal, sys
from dataclasses import astuple
from pathlib import Path
from octavia.media.sandbox import child, process, serving
from octavia.media.sandbox.parent import Sandbox
class Forked:
    # Only root may run the interpreter where it lies in root's folder: so this is forked, with all imported.
    def __init__(self, command, stdin, **options):
        self.pid = os.fork()
        if self.pid:
            return
        parent = os.getppid()
        os.dup2(stdin, 0)
        os.closerange(3, 64)
        os.setgroups([])
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)
        child.run(parent)
        os._exit(0)
    def poll(self):
        return None
    def kill(self):
        os.kill(self.pid, signal.SIGKILL)
    def wait(self):
        os.waitpid(self.pid, 0)
process.subprocess.Popen = Forked
serving.warm_up()
box = Sandbox()
print(*map(int, map(bool, astuple(box.start().layers))))
for path in map(Path, sys.argv[1:]):
    print(sum(map(len, box.decode(path))))
box.close()
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="other tests run as a user without rights already")
def test_a_user_without_rights_has_the_same_layers_and_results(tmp_path: Path) -> None:
    # Given recordings, with pictures too, whose decoders would start threads
    films = {"mp4": {"audio": "aac", "video": "mpeg4"}, "matroska": {"audio": "flac", "video": "mpeg4"}}
    paths = [tmp_path / name for name in (*films, "wav")]
    for path in paths[:2]:
        path.write_bytes(recording(path.name, seconds=2, **films[path.name]))
    paths[2].write_bytes(wav(tone(2)))
    # When a user who is not root has them read
    ran = subprocess.run(
        [sys.executable, "-c", AS_NOBODY, *map(str, paths)],
        env=os.environ | process._ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    # Then that is as it is for root
    layers, *lengths = ran.stdout.splitlines()
    assert layers.split() == [str(int(bool(layer))) for layer in astuple(in_force().layers)], ran.stderr
    assert [int(length) for length in lengths] == [sum(map(len, decode(path))) for path in paths], ran.stderr


@pytest.mark.parametrize("layer", ["landlock", "seccomp"])
def test_a_layer_that_the_system_has_but_refuses_is_an_error(layer: str) -> None:
    if not getattr(in_force().layers, layer):
        pytest.skip("this system does not have it")
    # Given a process that has not promised to gain no rights, nor has the right to do without
    become = "os.setresuid(65534, 65534, 65534);" if os.geteuid() == 0 else ""
    code = f"import os; from octavia.media.sandbox import {layer}; {become} {layer}.restrict()"
    # When it is to be confined, then it does not go on without
    assert "PermissionError" in run(code).stderr


def test_several_threads_are_not_confined_by_halves() -> None:
    code = """
import threading
from octavia.media.sandbox.confinement import give_up_rights
threading.Thread(target=threading.Event().wait, daemon=True).start()
give_up_rights(network_left=False)
"""
    assert "several threads" in run(code).stderr


def test_an_end_of_its_own_keeps_its_signal() -> None:
    # Given a confined process, When the C library gives up, then its parent sees by whose fault
    code = """
import os
from octavia.media.sandbox.confinement import give_up_rights
give_up_rights(network_left=False)
os.abort()
"""
    assert run(code).returncode == -signal.SIGABRT


def test_memory_that_runs_out_is_an_error_and_no_end() -> None:
    code = """
from octavia.media.sandbox.confinement import give_up_rights
give_up_rights(network_left=False)
held = []
try:
    while True:
        held.append(bytearray(10_000_000))
except MemoryError:
    print(len(held))
    held.clear()
print(len(bytearray(100_000_000)))
"""
    least, after = run(code).stdout.split()
    assert int(least) > 10
    assert after == "100000000"


@pytest.mark.skipif(platform.machine() != "x86_64", reason="these are x86's other calls")
def test_calls_of_another_architecture_end_the_process() -> None:
    if not in_force().layers.seccomp:
        pytest.skip("this system has no seccomp filters")
    # Given code that asks for its process id as 32-bit programs do: mov eax, 20; int 0x80; ret
    code = """
import ctypes, mmap
code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
code.write(b"\\xb8\\x14\\x00\\x00\\x00\\xcd\\x80\\xc3")
ask = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))
from octavia.media.sandbox import confinement, seccomp
confinement.forbid_new_rights()
seccomp.restrict()
ask()
print("went on")
"""
    # When it is called, then that is the end
    ended = run(code)
    assert (ended.returncode, ended.stdout) == (-signal.SIGSYS, "")
