"""Ctrl-C inside the numpy kernels, at places where a signal in a test would rarely arrive."""

import numpy as np
import pytest

from matfact.kernels._numpy import _dense


def test_factors_are_those_of_the_last_finished_iteration():
    first, second = np.zeros((2, 3)).T, np.zeros(4)
    count = 0

    def iterate(one, other):
        nonlocal count
        count += 1
        if count == 4:
            raise KeyboardInterrupt
        return one + 1, other + 10

    with pytest.raises(KeyboardInterrupt):
        _dense.run(iterate, (first, second), 100)
    np.testing.assert_array_equal(first, 3)
    np.testing.assert_array_equal(second, 30)


def test_writing_the_factors_back_is_not_torn():
    class Output:
        """An array whose first assignment is followed by Ctrl-C."""

        def __init__(self):
            self.value = np.zeros(2)
            self.interrupts = 1

        def __array__(self, dtype=None, copy=None):
            return self.value

        def __setitem__(self, key, value):
            self.value = value.copy()
            if self.interrupts:
                self.interrupts -= 1
                raise KeyboardInterrupt

    first, second = Output(), np.zeros(2)
    with pytest.raises(KeyboardInterrupt):
        _dense.run(lambda a, b: (a + 1, b + 1), (first, second), 5)
    np.testing.assert_array_equal(first.value, 5)
    np.testing.assert_array_equal(second, 5)
