"""Parsers with faults, for the test of ``fuzzing``."""

import os
import re

from hypothesis import strategies as st

from tests.support.fuzzing import Target


def crashes(data: bytes) -> None:
    assert b"\0" not in data


def refuses(data: bytes) -> None:
    raise ValueError("no")


def hangs(data: bytes) -> None:
    # In C, where no exception of Python's comes through in time.
    re.fullmatch(b"(a|a)*b", b"a" * 40)


def dies(data: bytes) -> None:
    os.abort()


TARGETS = {call.__name__: Target(st.binary(), call, (ValueError,)) for call in (refuses, hangs, dies, crashes)}
