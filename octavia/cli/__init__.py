"""The ``octavia`` command: ``main`` runs it, and ``app`` puts its groups together.

Low modules (``console``, ``printable``, ``inputs``, ``fields``, ``options``, ``configuration``, ``lock``, ``address``,
``broker``, ``exposure``) serve the groups ``local``, ``jobs``, ``doctor`` and ``stack``, which do not know
each other. All rooms may be imported here, but heavy ones only inside the commands that need them: ``octavia --help``
must not wait for NumPy, nor for the validation of settings. Begin with ``app``.
"""

from typing import NoReturn

from octavia import garbage, private, programs

__all__ = ["main"]


def main() -> NoReturn:
    """Run the command line of this process and exit."""
    private.begin()
    programs.leave_folder()
    with garbage.left_alone():
        from octavia.cli import app, console

    console.run(app.app)
