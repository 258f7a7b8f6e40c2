"""Progress is shown where it helps, and nowhere else."""

import io
import logging
import sys
import threading
import types

import pytest

from matfact.training import progress
from matfact.training.progress import Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


class RecordingBar:
    """Stands for tqdm.tqdm: remembers what it was told."""

    monitor_interval = 10
    made: list

    def __init__(self, **options):
        self.options = options
        self.calls = []
        self.made.append(self)

    def set_postfix_str(self, text, refresh):
        self.calls.append((text, refresh))

    def update(self):
        self.calls.append("update")

    def close(self):
        self.calls.append("close")


@pytest.fixture
def bars(monkeypatch):
    """Replace tqdm, and return the list of the bars that are made."""
    monkeypatch.setattr(RecordingBar, "made", [], raising=False)
    monkeypatch.setitem(sys.modules, "tqdm", types.SimpleNamespace(tqdm=RecordingBar))
    return RecordingBar.made


@pytest.fixture
def no_tqdm(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)  # importing it raises ModuleNotFoundError


def run(n_iterations=3, **options):
    with Progress(5, "training", **options) as shown:
        for iteration in range(n_iterations):
            shown.advance(f"RMSE {iteration}")


@pytest.mark.parametrize(
    ("verbose", "stream", "expected"),
    [
        (True, io.StringIO, True),
        (True, Terminal, True),
        (None, io.StringIO, False),
        (None, Terminal, True),
        (False, Terminal, False),
    ],
)
def test_a_bar_is_drawn_on_a_terminal_or_when_asked(bars, monkeypatch, verbose, stream, expected):
    monkeypatch.setattr(sys, "stderr", stream())
    run(verbose=verbose)
    assert len(bars) == expected


def test_the_bar_gets_every_iteration_and_is_closed(bars):
    run(2, verbose=True)
    (bar,) = bars
    assert bar.calls == [("RMSE 0", False), "update", ("RMSE 1", False), "update", "close"]
    assert bar.options["total"] == 5
    assert bar.options["file"] is sys.stderr


def test_the_bar_is_closed_when_training_fails(bars):
    with pytest.raises(KeyboardInterrupt), Progress(5, "training", verbose=True):
        raise KeyboardInterrupt
    assert bars[0].calls == ["close"]


def test_the_bar_starts_no_thread(bars):
    run(verbose=True)
    assert bars[0].monitor_interval == 0


def test_the_real_tqdm(monkeypatch):
    pytest.importorskip("tqdm", reason="tqdm is not installed")
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    before = threading.active_count()
    run()
    assert threading.active_count() == before
    assert "training" in stream.getvalue()


def test_without_a_console(bars, monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    run()
    assert bars == []


@pytest.mark.usefixtures("no_tqdm")
def test_without_tqdm_a_line_is_logged_now_and_then(caplog, monkeypatch, capsys):
    clock = iter([0.0, 0.0, 1.9, 2.1, 3.0])  # made, entered, and after each iteration
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    with caplog.at_level(logging.INFO, logger="matfact"):
        run(3, verbose=True)
    assert caplog.messages == ["training: iteration 2 of 5, RMSE 1"]
    assert capsys.readouterr() == ("", "")


@pytest.mark.usefixtures("no_tqdm")
def test_figures_are_optional(caplog, monkeypatch):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    with caplog.at_level(logging.INFO, logger="matfact"), Progress(2, "fitting") as shown:
        shown.advance()
    assert caplog.messages == ["fitting: iteration 1 of 2"]


@pytest.mark.usefixtures("no_tqdm")
def test_false_is_silent(caplog, monkeypatch):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    with caplog.at_level(logging.INFO, logger="matfact"):
        run(verbose=False)
    assert caplog.messages == []
