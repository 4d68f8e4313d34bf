"""The result of one check of ``octavia doctor``."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """The outcome of a check; only ``BAD`` makes the command fail."""

    GOOD = "ok"
    NOTE = "note"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked; ``remedy`` is empty if there is nothing to do."""

    subject: str
    verdict: Verdict
    detail: str
    remedy: str = ""
