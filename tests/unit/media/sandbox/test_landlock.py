"""The rules for Landlock: all that each version of it handles, and nothing that it does not know."""

import struct

import pytest

from octavia.media.sandbox import landlock


@pytest.mark.parametrize(
    ("version", "files", "network", "scopes"),
    [
        (1, 0x1FFF, 0, 0),
        (2, 0x3FFF, 0, 0),
        (3, 0x7FFF, 0, 0),
        (4, 0x7FFF, 3, 0),
        (5, 0xFFFF, 3, 0),
        (6, 0xFFFF, 3, 3),
        (8, 0xFFFF, 3, 3),
        (9, 0x1FFFF, 3, 3),
        (99, 0x1FFFF, 3, 3),
    ],
)
def test_every_right_of_a_version_is_handled(version: int, files: int, network: int, scopes: int) -> None:
    assert struct.unpack("=QQQ", landlock.attributes(version)) == (files, network, scopes)
