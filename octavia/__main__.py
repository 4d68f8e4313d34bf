"""``python -m octavia``: the same as the ``octavia`` command."""

from octavia.cli import main

main()
