"""The layers that confine the process that decodes, as it tells them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Layers:
    """The layers in force, beside the limits: as many as the system has.

    Attributes:
      network_left: It is in an empty network namespace.
      root_left: It is in an empty root folder.
      landlock: Version of the kernel's Landlock that keeps it from files; 0 if there is none.
      seccomp: It can make only the system calls that it needs.
    """

    network_left: bool
    root_left: bool
    landlock: int
    seccomp: bool
