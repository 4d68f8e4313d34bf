"""The check of ``octavia doctor`` on the process that decodes media: that it starts, and what confines it."""

from typing import TYPE_CHECKING

from octavia.cli.doctor.findings import Finding, Verdict
from octavia.settings import Settings

if TYPE_CHECKING:
    from octavia.media.sandbox.layers import Layers

_SUBJECT = "media sandbox"
_SEE = "see docs/security.md, The layers."


def media_sandbox(settings: Settings) -> list[Finding]:
    """Check that the process that decodes media starts, and tell each layer that confines it."""
    from octavia.media.sandbox.process import Process

    process = Process()
    process.kill()
    return findings(process.layers)


def findings(layers: "Layers") -> list[Finding]:
    """Tell which layers confine the process, and how to have those that are missing."""
    return [
        _finding(
            layers.seccomp,
            "system calls: only those that decoding needs (seccomp)",
            "system calls: all (no seccomp)",
            f"Use Linux on x86-64 or ARM64 with seccomp filters: {_SEE}",
        ),
        _finding(
            layers.landlock > 0,
            f"files: none can be opened, made or removed (Landlock, version {layers.landlock})",
            "files: no Landlock",
            f"Use Linux 5.13 or newer, started with Landlock, and a container that allows it: {_SEE}",
        ),
        _finding(
            layers.root_left,
            "root folder: an empty one",
            "root folder: the machine's",
            f"Allow unprivileged user namespaces: {_SEE}",
        ),
        _finding(
            layers.network_left,
            "network: none",
            "network: the machine's",
            f"Allow unprivileged user namespaces: {_SEE}",
        ),
    ]


def _finding(in_force: bool, there: str, missing: str, remedy: str) -> Finding:
    if in_force:
        return Finding(_SUBJECT, Verdict.GOOD, there)
    return Finding(_SUBJECT, Verdict.NOTE, missing, remedy)
