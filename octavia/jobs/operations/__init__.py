"""Operators' work with the jobs of all owners: finding, understanding and changing them, and a record of who did what.

May import every other part of ``jobs``. Begin with ``filters``, the language in which operators name jobs. Each
function takes ``owner``: the only owner whose jobs may be seen or changed; None for all.
"""

__all__ = [
    "actions",
    "audit",
    "details",
    "failures",
    "filters",
    "listing",
    "overview",
    "pauses",
    "statistics",
    "suggestions",
]
