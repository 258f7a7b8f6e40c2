"""Running a command, and turning errors into messages and exit codes."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING

from matfact.cli._errors import UsageError
from matfact.cli._parser import EXIT_BAD_INPUT, make_parser
from matfact.exceptions import MatfactError, ModelFileError, RatingsFileError, UnknownIdError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["main"]

EXIT_OK, EXIT_FAILED, EXIT_INTERRUPTED = 0, 1, 130

BAD_INPUT = (UsageError, RatingsFileError, ModelFileError, UnknownIdError)


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
    arguments = make_parser().parse_args(argv)
    try:
        # A command is imported when it runs: `--help` needs none of them.
        module = import_module(f"matfact.cli._{arguments.command}")
        command: Callable[[argparse.Namespace], None] = module.run
        with _log_to_stderr(quiet=getattr(arguments, "quiet", True)):
            command(arguments)
            sys.stdout.flush()
    except KeyboardInterrupt:
        return _complain("interrupted", EXIT_INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output has gone. Python would complain once more when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
    except BAD_INPUT as error:
        return _complain(str(error), EXIT_BAD_INPUT)
    except (MatfactError, OSError) as error:
        return _complain(str(error), EXIT_FAILED)
    except MemoryError:
        return _complain("not enough memory; lower --factors", EXIT_FAILED)
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
