"""``demo``: its report, and the times of both backends."""

import json
import re
import subprocess

import pytest

from cli.commands import MODULE, rmse_of
from isolated import COMPILED, run_python
from matfact import backend_info
from matfact.cli import _demo, _timing, main
from matfact.ratings import make_ratings


@pytest.fixture
def quick(monkeypatch):
    """Make the synthetic data small and the timing short."""

    def small(*, n_factors, random_state):
        return make_ratings(60, 50, 900, n_factors=n_factors, random_state=random_state)

    monkeypatch.setattr(_demo, "make_ratings", small)
    monkeypatch.setattr(_timing, "SECONDS_A_REPEAT", 1e-4)


@pytest.mark.usefixtures("quick")
def test_the_report(capsys, monkeypatch):
    other = ({"cython", "numpy"} - {backend_info().backend}).pop()
    result = subprocess.CompletedProcess([], 0, '{"observed": 0.5, "full": 0.25}', "")
    monkeypatch.setattr(_timing.subprocess, "run", lambda *_, **__: result)
    assert main(["demo", "--quiet"]) == 0
    output, errors = capsys.readouterr()
    assert errors == ""
    assert output.startswith("synthetic ratings: 900 ratings from 1 to 5, 60 users, 50 items")
    assert list(rmse_of(output)) == [
        "global mean",
        "user and item means",
        "ALS",
    ]
    assert re.search(rf"^  {backend_info().backend} +\d+\.\d{{3}} ms / \d", output, re.MULTILINE)
    assert re.search(rf"^  {other} +500.000 ms / 250.000 ms", output, re.MULTILINE)
    assert output.splitlines()[-1].startswith("next: python -m matfact fit FILE")


@pytest.mark.usefixtures("quick")
def test_the_other_backend_is_timed_with_the_same_choices(capsys, monkeypatch):
    commands = []

    def run(command, *, env, **_):
        commands.append((command[1:], env["MATFACT_BACKEND"]))
        return subprocess.CompletedProcess(command, 0, '{"observed": 1, "full": 1}', "")

    monkeypatch.setattr(_timing.subprocess, "run", run)
    assert main(["demo", "--quiet", "--seed", "8", "--threads", "1"]) == 0
    other = ({"cython", "numpy"} - {backend_info().backend}).pop()
    words = ["-m", "matfact", "demo", "--time-only", "--seed", "8", "--threads", "1"]
    assert commands == [(words, other)]


@pytest.mark.parametrize(
    ("outcome", "message"),
    [
        (subprocess.CompletedProcess([], 1, "", "Traceback\nE: why not\n"), "E: why not"),
        (subprocess.CompletedProcess([], -9, "", ""), "it failed without a message"),
        (subprocess.TimeoutExpired("x", 120), "timed out"),
        (FileNotFoundError("no python"), "no python"),
    ],
)
@pytest.mark.usefixtures("quick")
def test_a_backend_that_cannot_be_timed(capsys, monkeypatch, outcome, message):
    def run(*_, **__):
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(_timing.subprocess, "run", run)
    assert main(["demo", "--quiet"]) == 0
    assert message in capsys.readouterr().out


@pytest.mark.usefixtures("quick")
def test_only_the_times(capsys):
    assert main(["demo", "--time-only"]) == 0
    times = json.loads(capsys.readouterr().out)
    assert set(times) == {"observed", "full"}
    assert min(times.values()) > 0


def test_as_a_stranger_runs_it():
    done = run_python(MODULE, "demo", timeout=120)
    assert done.returncode == 0, done.stderr
    errors = rmse_of(done.stdout)
    assert errors["ALS"] < 0.95 * errors["user and item means"]
    compiled = re.search(r"^  cython +(.*)$", done.stdout, re.MULTILINE)[1]
    assert (" ms / " in compiled) == COMPILED
    if not COMPILED:
        assert compiled.startswith("not available: ")
