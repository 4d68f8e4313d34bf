"""A real systemd as process 1 of namespaces of its own, over this machine's files, for units to be run by it.

It takes root and a hierarchy of control groups (version 2) that can be written. What is written goes into memory, and
is gone with it; the network is this machine's.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psutil

from tests.support.waiting import until

# Runs in the new namespaces, before systemd takes its place. $1: an empty folder; $2: lines of "SOURCE TARGET" to bind.
_PREPARE = """
set -eu
mount -t tmpfs none "$1"
mkdir "$1/up" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/up,workdir=$1/work" "$1/root"
cd "$1/root"
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,ro,bind proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
for each in run tmp dev; do mount -t tmpfs -o mode=755 none $each; done
chmod 1777 tmp
for each in null zero full random urandom tty; do touch dev/$each; mount --bind /dev/$each dev/$each; done
mkdir dev/shm dev/pts
mount -t tmpfs none dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
while read -r source target; do mkdir -p "./$target"; mount --rbind "$source" "./$target"; done <"$2"
printf '%s' "$3" >etc/systemd/system/octavia-test.target
for each in $4; do ln -sf /dev/null "etc/systemd/system/$each"; done
mkdir .before
pivot_root . .before
umount -l /.before
exec env -i container=octavia-test PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd \\
    --unit=octavia-test.target --show-status=0 --log-target=journal
"""
_BOOT_TARGET = "octavia-test.target"
_BOOT = """
[Unit]
Requires=systemd-journald.service
After=systemd-journald.service
"""
# What a container needs none of, and what would touch the machine or take time.
_MASKED = (
    "systemd-udevd.service",
    "systemd-udev-trigger.service",
    "systemd-resolved.service",
    "systemd-timesyncd.service",
    "systemd-networkd.service",
    "systemd-binfmt.service",
    "systemd-modules-load.service",
    "systemd-sysctl.service",
    "systemd-random-seed.service",
    "systemd-update-utmp.service",
    "systemd-journal-flush.service",
    "systemd-machine-id-commit.service",
    "network-online.target",
    "local-fs.target",
    "swap.target",
    "cryptsetup.target",
    "dev-hugepages.mount",
    "dev-mqueue.mount",
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
    "sys-kernel-config.mount",
    "sys-fs-fuse-connections.mount",
    "proc-sys-fs-binfmt_misc.automount",
    "systemd-firstboot.service",
    "systemd-sysusers.service",
    "systemd-tmpfiles-setup.service",
    "systemd-tmpfiles-setup-dev.service",
    "systemd-tmpfiles-clean.timer",
)


class Booted:
    """A systemd that runs; ``run`` runs commands beside it, as root.

    Parameters:
      pid: Of its process 1, as this machine sees it.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.root = Path(f"/proc/{pid}/root")

    def run(self, *command: str, check: bool = True, seconds: float = 120) -> str:
        """Run a command; returns what it wrote."""
        within = [
            "nsenter",
            "--target",
            str(self.pid),
            "--mount",
            "--uts",
            "--ipc",
            "--pid",
            "--cgroup",
            "--root",
            "--wd=/",
        ]
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
        done = subprocess.run([*within, *command], env=environment, capture_output=True, text=True, timeout=seconds)
        assert not check or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def write(self, path: str, text: str) -> None:
        """Write a file."""
        (self.root / path.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path.lstrip("/")).write_text(text)

    def show(self, unit: str, *properties: str) -> dict[str, str]:
        """Properties of a unit."""
        said = self.run("systemctl", "show", unit, f"--property={','.join(properties)}")
        return dict(line.split("=", 1) for line in said.splitlines() if "=" in line)

    def logs(self, *units: str) -> str:
        """What units, or all, have logged."""
        return self.run("journalctl", "--no-pager", "--output=cat", *(f"--unit={unit}" for unit in units))


@contextmanager
def booted(binds: Mapping[Path, str]) -> Iterator[Booted]:
    """Boot a systemd, and end it with all that it runs.

    Parameters:
      binds: Folders of this machine, and where they are to appear.
    """
    group = _own_group() / f"octavia-test-{uuid4().hex[:8]}"
    folder = Path(tempfile.mkdtemp(prefix="octavia-boot-"))
    (folder / "binds").write_text("".join(f"{source} {target}\n" for source, target in binds.items()))
    (folder / "root").mkdir()
    group.mkdir()
    # The shell joins the group, and what it is replaced by stays there.
    join = ["sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"', str(group)]
    spaces = ["unshare", "--kill-child", "--fork", "--pid", "--mount", "--uts", "--ipc", "--cgroup"]
    prepare = ["sh", "-c", _PREPARE, "sh", str(folder / "root"), str(folder / "binds"), _BOOT, " ".join(_MASKED)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*join, *spaces, *prepare], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        yield _come_up(process, folder / "log")
    finally:
        # Its death takes process 1 along, and that takes all the others.
        process.kill()
        process.wait()
        until(lambda: _removed(group), 20)
        shutil.rmtree(folder)


def _come_up(process: "subprocess.Popen[bytes]", log: Path) -> Booted:
    def first() -> int | None:
        assert process.poll() is None, log.read_text()
        found = [child for child in psutil.Process(process.pid).children() if child.name() == "systemd"]
        return found[0].pid if found else None

    until(first, 20)
    pid = first()
    assert pid is not None
    machine = Booted(pid)
    until(lambda: "active" in machine.run("systemctl", "is-active", _BOOT_TARGET, check=False).split(), 60, every=0.1)
    return machine


def _own_group() -> Path:
    """The folder of this process's control group."""
    mounted = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    top = next(fields[1] for fields in mounted if fields[2] == "cgroup2")
    own = next(line for line in Path("/proc/self/cgroup").read_text().splitlines() if line.startswith("0::"))
    return Path(top + own.removeprefix("0::").removesuffix("/"))


def _removed(group: Path) -> bool:
    """Remove a control group with those below it; False while a process has not ended."""
    try:
        for each in (*sorted(group.rglob("*/"), reverse=True), group):
            each.rmdir()
    except OSError:
        return False
    return True
