"""The plan of faults, and when jobs are ordered."""

from itertools import pairwise
from random import Random

import pytest

from chaos.plan import may_order, plan

KINDS = [f"kind {number}" for number in range(20)]


def test_the_same_seed_gives_the_same_plan() -> None:
    assert plan(KINDS, 45, 5.0, Random(7)) == plan(KINDS, 45, 5.0, Random(7))
    assert plan(KINDS, 45, 5.0, Random(7)) != plan(KINDS, 45, 5.0, Random(8))


@pytest.mark.parametrize("seed", range(50))
def test_every_kind_comes_and_none_twice_in_a_row(seed: int) -> None:
    # When more faults are planned than there are kinds
    planned = plan(KINDS, 45, 5.0, Random(seed))
    # Then each is among them, about as often as the others
    kinds = [one.kind for one in planned]
    assert len(kinds) == 45
    assert {kinds.count(kind) for kind in KINDS} <= {2, 3}
    # And none follows itself
    assert all(one != other for one, other in pairwise(kinds))


def test_faults_come_at_the_distance_that_was_asked_for_on_average() -> None:
    planned = plan(KINDS, 400, 5.0, Random(1))
    distances = [other.at - one.at for one, other in pairwise(planned)]
    assert sum(distances) / len(distances) == pytest.approx(5.0, rel=0.1)
    assert 1.5 <= min(distances) <= max(distances) <= 8.5


def test_jobs_are_spread_over_the_faults() -> None:
    # As large a share of the jobs is ordered as faults have passed, some ahead, and never more than there are
    assert may_order(2, 100, 0.0)
    assert not may_order(3, 100, 0.0)
    assert may_order(52, 100, 0.5)
    assert not may_order(53, 100, 0.5)
    assert may_order(99, 100, 1.0)
    assert not may_order(100, 100, 1.0)
