"""The tables, and reading and writing their rows. Knows no other part of ``jobs``.

Begin with ``rows`` (the tables), ``states`` (the legal moves) and ``database`` (transactions). Other rooms get
``records``, never rows; ``rows``, ``operation_rows`` and ``schema`` are listed for the migrations.
"""

__all__ = [
    "chunk_times",
    "contents",
    "database",
    "due_messages",
    "events",
    "operation_rows",
    "pauses",
    "pooling",
    "queries",
    "records",
    "rows",
    "schema",
    "states",
]
