import gc

import pytest

from octavia import garbage


def in_vain() -> None:
    with garbage.left_alone():
        assert not gc.isenabled()
        raise ImportError


def test_no_garbage_is_looked_for_among_what_is_imported() -> None:
    # Given a process that looks for garbage
    before = gc.get_freeze_count()
    try:
        # When it imports, even in vain
        with pytest.raises(ImportError):
            in_vain()
        # Then it looks for garbage again, but not there
        assert gc.isenabled()
        assert gc.get_freeze_count() > before
    finally:
        gc.unfreeze()
