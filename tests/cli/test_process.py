"""The command line as a process: output streams, signals, logging."""

import os
import re
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from cli.commands import MODULE
from isolated import BACKENDS, run_python
from matfact.cli import _main, main


@pytest.mark.parametrize("backend", BACKENDS)
def test_info(backend):
    done = run_python(MODULE, "info", MATFACT_BACKEND=backend)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.match(rf"backend +{backend}\n", done.stdout)


def test_version_and_help():
    version = run_python(MODULE, "--version")
    assert re.fullmatch(r"matfact \d+\.\d+.*\n", version.stdout)
    usage = run_python(MODULE, "fit", "--help")
    assert usage.returncode == 0
    for word in ("--learning-rate", "matfact.ALS", "--holdout", "persistence", "exit codes"):
        assert word in usage.stdout


def test_help_loads_nothing_that_only_a_command_needs():
    code = """
import sys
from matfact.cli import main
for command in sys.argv[1:]:
    try:
        main([command, "--help"])
    except SystemExit:
        print("loaded:", sorted(name for name in sys.modules if name.startswith("matfact.")))
"""
    commands = ["fit", "predict", "evaluate", "recommend", "demo", "info"]
    done = run_python(code, *commands)
    assert done.returncode == 0, done.stderr
    for command in commands:
        assert f"usage: python -m matfact {command} " in done.stdout
    loaded = re.findall("^loaded: .*", done.stdout, re.MULTILINE)
    assert len(loaded) == len(commands)
    for part in ("models", "ratings", "training", "evaluation", "persistence"):
        assert f"'matfact.{part}" not in loaded[-1]


def test_bad_input_gives_no_traceback(tmp_path):
    done = run_python(MODULE, "fit", str(tmp_path / "none.csv"))
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "there is no such file" in done.stderr


@pytest.mark.parametrize("backend", BACKENDS)
def test_fit(backend, ratings_file):
    done = run_python(MODULE, "fit", str(ratings_file), MATFACT_BACKEND=backend)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"({backend} backend)" in done.stdout


def test_progress_goes_to_the_log_without_a_terminal(ratings_file):
    code = "import matfact.training.progress as p; p.SECONDS_BETWEEN_LINES = 0.0; " + MODULE
    done = run_python(code, "fit", str(ratings_file), "--iterations", "2")
    assert done.returncode == 0
    assert re.match(r"training: iteration 1 of 2, objective \d", done.stderr)
    options = ["--iterations", "2", "--validation", "0.1"]
    done = run_python(code, "fit", str(ratings_file), *options)
    assert re.match(r"training: iteration 1 of 2, validation RMSE \d", done.stderr)
    quiet = run_python(code, "fit", str(ratings_file), "--iterations", "2", "--quiet")
    assert quiet.stderr == ""


def test_nothing_is_imported_while_it_trains(ratings_file):
    # Imports swallow a KeyboardInterrupt now and then, so that Ctrl-C would do nothing.
    code = """
import sys
from matfact.cli import _fit, main
loaded = []
describe = _fit.describe_data, _fit.describe_training
def watched(function):
    def call(*arguments):
        loaded.append(set(sys.modules))
        return function(*arguments)
    return call
_fit.describe_data, _fit.describe_training = map(watched, describe)
main(["fit", *sys.argv[1:], "--quiet"])
print(sorted(loaded[1] - loaded[0]))
"""
    done = run_python(code, str(ratings_file), "--validation", "0.1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.skipif(os.name == "nt", reason="signals are sent the POSIX way")
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("seconds", [0, 0.3])  # at once, and well within the training
def test_ctrl_c(backend, seconds, ratings_file, tmp_path):
    out = tmp_path / "model.npz"
    command = [sys.executable, "-m", "matfact", "fit", str(ratings_file), "--out", str(out)]
    command += ["--model", "gd", "--validation", "0"]  # which nothing stops
    command += ["--learning-rate", "1e-9", "--iterations", str(10**9)]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"MATFACT_BACKEND": backend},
    ) as process:
        process.stdout.readline()  # printed when the file has been read
        time.sleep(seconds)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert errors == "matfact: interrupted\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("backend", BACKENDS)
def test_from_ratings_to_recommendations(backend, ratings_file, tmp_path):
    model = str(tmp_path / "model.npz")
    outputs = []
    for arguments in (
        ["fit", str(ratings_file), "--model", "sgd", "--out", model],
        ["predict", model, "--user", "7", "--item", "film 3"],
        ["evaluate", model, str(ratings_file)],
        ["recommend", model, "7", "-n", "2"],
    ):
        done = run_python(MODULE, *arguments, MATFACT_BACKEND=backend)
        assert (done.returncode, done.stderr) == (0, "")
        outputs.append(done.stdout)
    assert outputs[0].endswith(f"written to {model}\n")
    assert re.fullmatch(r"user,item,prediction\n7,film 3,[\d.]+\n", outputs[1])
    assert re.search(r"SGD of 32 factors +\d\.\d{4} \d\.\d{4}\n$", outputs[2])
    assert re.fullmatch(r"item,score\n(film \d+,[\d.]+\n){2}", outputs[3])


@pytest.mark.skipif(os.name == "nt", reason="pipes break in another way")
@pytest.mark.parametrize("command", ["info", "predict", "recommend"])
def test_a_reader_that_goes_away(command, model_file, ratings_file):
    script = textwrap.dedent("""
        import os, sys
        read, write = os.pipe()
        os.close(read)
        os.dup2(write, 1)
        from matfact.cli import main
        sys.exit(main(sys.argv[1:]))
    """)
    rest = {"info": [], "predict": [model_file, ratings_file], "recommend": [model_file, "7"]}
    done = run_python(script, command, *map(str, rest[command]))
    assert (done.returncode, done.stderr) == (1, "")


def test_logging_is_left_as_it_was(ratings_file):
    logger = _main.logging.getLogger("matfact")
    before = logger.level, list(logger.handlers)
    assert main(["fit", str(ratings_file), "--iterations", "1"]) == 0
    assert (logger.level, logger.handlers) == before
