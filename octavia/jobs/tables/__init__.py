"""The tables, and reading and writing their rows."""
