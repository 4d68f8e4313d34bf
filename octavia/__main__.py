"""``python -m octavia`` runs the ``octavia`` command."""

import sys

# The current folder comes first on the search path. Until ``main`` has decided on it, no module is taken from there.
found = list(sys.path)
if not sys.flags.safe_path:
    sys.path[:] = [entry for entry in found if entry != found[0]]

from octavia.cli import main  # noqa: E402

sys.path[:] = found
main()
