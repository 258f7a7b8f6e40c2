"""A signal while a kernel runs."""

import signal
import time

import pytest


class InterruptionError(Exception):
    """What the handler of the signal raises."""


def seconds_until_interrupted(call):
    """Run `call`, which a signal ends after 0.05 s; return how long it took."""

    def interrupt(*_):
        raise InterruptionError

    handler = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        start = time.perf_counter()
        with pytest.raises(InterruptionError):
            call()
        return time.perf_counter() - start
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
