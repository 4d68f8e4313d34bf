"""``python -m octavia`` runs the ``octavia`` command."""

from octavia.cli import main

main()
