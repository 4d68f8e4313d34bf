import numpy as np
import pytest

from octavia.media.levels import decibels, factor, window_powers
from tests.support.media import tone


def test_decibels_are_factors():
    assert (factor(0), factor(-20), factor(6.0206)) == pytest.approx((1, 0.1, 2), abs=1e-4)
    assert (decibels(1), decibels(0.1), decibels(2)) == pytest.approx((0, -20, 6.0206), abs=1e-4)


def test_powers_of_whole_windows():
    powers = window_powers(tone(1.005, level=1.0), 160)
    assert len(powers) == 100
    assert np.allclose(powers.mean(), 0.5, atol=0.001)
