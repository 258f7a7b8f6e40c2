"""Reading the command line, running a command, and turning errors into messages and exit codes."""

from __future__ import annotations

import argparse
import logging
import math
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from matfact._threads import MAX_THREADS
from matfact._version import __version__
from matfact.cli._demo import run_demo
from matfact.cli._errors import UsageError
from matfact.cli._fit import DELIMITERS, run_fit
from matfact.cli._info import run_info
from matfact.cli._model import LEARNING_RATE, N_FEATURES, N_ITERATIONS, VALIDATION
from matfact.exceptions import MatfactError, RatingsFileError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

EXIT_OK, EXIT_FAILED, EXIT_BAD_INPUT, EXIT_INTERRUPTED = 0, 1, 2, 130

FIT_DESCRIPTION = f"""\
Factorize the ratings of a file by gradient descent, and tell how well they are predicted.

FILE has a user, an item and a rating in each line, separated by tab, comma, semicolon or '::';
further columns are ignored, a header is recognised, ids may be any text, gzip is fine.

Model: rating = mean + user offset + item offset + product of the factors of user and item, clipped
to the range of the training ratings. Mean and offsets are damped averages. The factors are fitted
to what these leave, scaled to unit variance, from a small random start, by the in-place gradient
sweeps of matfact.matrix_factorization over the observed ratings. {VALIDATION:.0%} of the training
ratings are set aside to choose the iterate that is kept. Memory is proportional to the number of
ratings plus users and items times features.
"""

FIT_EPILOG = """\
The file that --out names is read by numpy.load(path, allow_pickle=False): user_ids, item_ids,
global_mean, user_offsets, item_offsets, user_factors (users x features), item_factors (features x
items), rating_range (lowest, highest) and metadata (JSON text).

exit codes: 0 done, 1 training diverged or failed, 2 bad arguments or bad file, 130 interrupted
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments after the program's name; by default those of the process.

    Returns
    -------
    int
        Exit code: 0 done, 1 failed, 2 bad arguments or input, 130 interrupted.

    Raises
    ------
    SystemExit
        From argparse: after ``--help`` and ``--version``, and with code 2 for bad arguments.
    """
    arguments = _parser().parse_args(argv)
    command: Callable[[argparse.Namespace], None] = arguments.command
    try:
        with _log_to_stderr(quiet=getattr(arguments, "quiet", True)):
            command(arguments)
            sys.stdout.flush()
    except KeyboardInterrupt:
        return _complain("interrupted", EXIT_INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output has gone. Python would complain once more when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
    except (UsageError, RatingsFileError) as error:
        return _complain(str(error), EXIT_BAD_INPUT)
    except (MatfactError, OSError) as error:
        return _complain(str(error), EXIT_FAILED)
    except MemoryError:
        return _complain("not enough memory; lower --features", EXIT_FAILED)
    return EXIT_OK


def _complain(message: str, code: int) -> int:
    one_line = " ".join(message.split())
    sys.stderr.write(f"matfact: {one_line}\n")
    return code


@contextmanager
def _log_to_stderr(*, quiet: bool) -> Iterator[None]:
    """Show the package's log lines while a command runs, as no application has set up logging."""
    if quiet:
        yield
        return
    logger = logging.getLogger("matfact")
    handler = logging.StreamHandler()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


class _Parser(argparse.ArgumentParser):
    """A parser whose errors take one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(EXIT_BAD_INPUT, f"{self.prog}: {message} (see {self.prog} --help)\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m matfact",
        description="Matrix factorization of ratings, by gradient descent.",
    )
    parser.add_argument("--version", action="version", version=f"matfact {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="{demo,fit,info}")
    _add_demo(commands)
    _add_fit(commands)
    info = commands.add_parser("info", help="show the backend in use, threads and versions")
    info.set_defaults(command=run_info)
    return parser


def _add_demo(commands: argparse._SubParsersAction[_Parser]) -> None:
    demo = commands.add_parser(
        "demo",
        help="factorize synthetic ratings and time both backends; needs no file and no network",
        description="Factorize a seeded synthetic ratings matrix; compare with the baselines on "
        "held-out ratings, and time an iteration on both backends.",
    )
    demo.add_argument("--seed", type=_seed, default=0, help="seed of the data and of the training")
    _add_common(demo)
    demo.add_argument("--time-only", action="store_true", help=argparse.SUPPRESS)
    demo.set_defaults(command=run_demo)


def _add_fit(commands: argparse._SubParsersAction[_Parser]) -> None:
    fit = commands.add_parser(
        "fit",
        help="factorize the ratings of a file",
        description=FIT_DESCRIPTION,
        epilog=FIT_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    fit.add_argument("file", metavar="FILE", type=Path, help="ratings: csv or tsv, plain or gzip")
    fit.add_argument(
        "--features",
        type=_positive_integer,
        default=N_FEATURES,
        metavar="N",
        help="length of the factors (default %(default)s)",
    )
    fit.add_argument(
        "--learning-rate",
        type=_positive_number,
        metavar="RATE",
        help="step along the gradient averaged over as many cells as a user or an "
        "item has ratings on average: the learning rate of "
        "matfact.matrix_factorization times the share of cells that are rated "
        f"(default {LEARNING_RATE}, halved if training diverges)",
    )
    fit.add_argument(
        "--iterations",
        type=_positive_integer,
        default=N_ITERATIONS,
        metavar="N",
        help="most iterations; training stops by itself when the validation error "
        "has not fallen for 2 / RATE iterations, at least 5 (default %(default)s)",
    )
    fit.add_argument(
        "--holdout",
        type=_share,
        default=0.1,
        metavar="SHARE",
        help="share of the ratings held out at random for the report; 0 trains on "
        "all (default %(default)s)",
    )
    fit.add_argument(
        "--seed",
        type=_seed,
        default=0,
        metavar="N",
        help="seed of the split and of the start (default %(default)s)",
    )
    fit.add_argument("--out", type=Path, metavar="PATH", help="write the model to this npz file")
    fit.add_argument("--overwrite", action="store_true", help="let --out replace a file")
    fit.add_argument("--delimiter", choices=DELIMITERS, help="separator, if it is not recognised")
    _add_common(fit)
    fit.set_defaults(command=run_fit)


def _add_common(parser: _Parser) -> None:
    parser.add_argument(
        "--threads",
        type=_threads,
        metavar="N",
        help="number of threads (default: as OpenMP decides); results do not depend on it",
    )
    parser.add_argument("--quiet", action="store_true", help="no progress on standard error")


def _integer(text: str, lowest: int, highest: int | None = None) -> int:
    limits = f"from {lowest} to {highest}" if highest is not None else f"of at least {lowest}"
    try:
        number = int(text)
    except ValueError:
        number = lowest - 1
    if number < lowest or (highest is not None and number > highest):
        raise argparse.ArgumentTypeError(f"{text!r} is not an integer {limits}")
    return number


def _positive_integer(text: str) -> int:
    return _integer(text, 1)


def _seed(text: str) -> int:
    return _integer(text, 0)


def _threads(text: str) -> int:
    return _integer(text, 1, MAX_THREADS)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _positive_number(text: str) -> float:
    number = _number(text)
    if not 0.0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a finite number above 0")
    return number


def _share(text: str) -> float:
    number = _number(text)
    if not 0.0 <= number < 1.0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share, 0 <= SHARE < 1")
    return number
