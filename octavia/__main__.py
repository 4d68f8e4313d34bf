"""``python -m octavia`` runs the ``octavia`` command."""

import sys

# It begins the search path with the current folder, and no module may be taken from there; ``main`` decides on it.
folder = [] if sys.flags.safe_path else sys.path[:1]
del sys.path[: len(folder)]

from octavia.cli import main  # noqa: E402

sys.path[:0] = folder
main()
