"""Fuzz: no input of a stranger crashes or stops one of our parsers, and each is refused by an error that we know.

Inputs that did are kept in ``var/fuzz``, and called first the next time.
"""

import os
from pathlib import Path

import pytest

from tests.support import broken_parsers, fuzz_targets
from tests.support.fuzzing import Found, fuzz

KEPT = Path(__file__).parents[2] / "var" / "fuzz"
SECONDS = float(os.environ.get("FUZZ_SECONDS", "300"))


def described(found: list[Found]) -> str:
    return "\n\n".join(f"{one.path}\n{one.what}" for one in found)


def test_parsers_hold_for_the_same_inputs_each_time() -> None:
    found = fuzz(list(fuzz_targets.TARGETS), KEPT, examples=25)
    assert not found, described(found)


@pytest.mark.long
@pytest.mark.timeout(SECONDS * 20 + 600)
def test_parsers_hold_for_new_inputs() -> None:
    found = fuzz(list(fuzz_targets.TARGETS), KEPT, seconds=SECONDS)
    assert not found, described(found)


def test_what_breaks_a_parser_is_kept_and_called_first(tmp_path: Path) -> None:
    # Given parsers that refuse, hang, die and crash, When each gets input
    names = list(broken_parsers.TARGETS)
    broken = {"targets": "tests.support.broken_parsers", "hang": 1}
    found = fuzz(names, tmp_path, examples=50, **broken)
    # Then the first is fine, and one input of each other is kept, or several
    kinds = {one.path.parent.name: one.path.name.partition("-")[0] for one in found}
    assert kinds == {"hangs": "hang", "dies": "death", "crashes": "crash"}
    assert all(b"\0" in one.path.read_bytes() for one in found if one.path.parent.name == "crashes")
    # And they break the parsers again without new ones
    assert {one.path for one in found} == {one.path for one in fuzz(names, tmp_path, examples=1, **broken)}
