"""Who reads whom."""

from hypothesis import given
from hypothesis import strategies as st

from octavia.jobs.protocol.readiness import dependents, needs
from octavia.jobs.tables.states import Stage

DUB = (Stage.TRANSCRIBE, Stage.TRANSLATE, Stage.SYNTHESIZE)
TEXT = (Stage.TRANSLATE, Stage.SYNTHESIZE)


def test_first_stages_read_nothing() -> None:
    assert needs(DUB, Stage.TRANSCRIBE, 3, 9) is None
    assert needs(TEXT, Stage.TRANSLATE, 3, 9) is None
    assert needs((Stage.SYNTHESIZE,), Stage.SYNTHESIZE, 0, 1) is None


def test_translating_speech_reads_the_neighbours_that_exist() -> None:
    assert needs(DUB, Stage.TRANSLATE, 3, 9) == (Stage.TRANSCRIBE, (2, 3, 4))
    assert needs(DUB, Stage.TRANSLATE, 0, 9) == (Stage.TRANSCRIBE, (0, 1))
    assert needs(DUB, Stage.TRANSLATE, 8, 9) == (Stage.TRANSCRIBE, (7, 8))
    assert needs(DUB, Stage.TRANSLATE, 0, 1) == (Stage.TRANSCRIBE, (0,))


def test_while_more_chunks_may_come_none_is_the_last() -> None:
    assert needs(DUB, Stage.TRANSLATE, 0, None) == (Stage.TRANSCRIBE, (0, 1))
    assert needs(DUB, Stage.TRANSLATE, 3, None) == (Stage.TRANSCRIBE, (2, 3, 4))
    assert dependents(DUB, Stage.TRANSCRIBE, 3, None) == (Stage.TRANSLATE, (2, 3, 4))


def test_speaking_reads_its_own_translation() -> None:
    assert needs(DUB, Stage.SYNTHESIZE, 3, 9) == (Stage.TRANSLATE, (3,))
    assert needs(TEXT, Stage.SYNTHESIZE, 0, 9) == (Stage.TRANSLATE, (0,))


def test_the_last_stage_touches_none() -> None:
    assert dependents(DUB, Stage.SYNTHESIZE, 0, 9) is None


@given(st.sampled_from([DUB, TEXT, DUB[:2], DUB[:1]]), st.integers(1, 8), st.data())
def test_touched_is_the_reverse_of_needs(stages: tuple[Stage, ...], total: int, data: st.DataObject) -> None:
    # Given any completed stage of any chunk
    stage, chunk = data.draw(st.sampled_from(stages)), data.draw(st.integers(0, total - 1))
    # Then whoever it may have made ready is exactly whoever reads it
    readers = {
        (other, k)
        for other in stages
        for k in range(total)
        if (need := needs(stages, other, k, total)) and need[0] is stage and chunk in need[1]
    }
    after = dependents(stages, stage, chunk, total)
    assert readers == ({(after[0], k) for k in after[1]} if after else set())
