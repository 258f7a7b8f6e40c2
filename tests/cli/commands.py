"""Running commands, in this process or in a fresh one, and reading what they report."""

import re

from matfact.cli import main

MODULE = "import runpy; runpy.run_module('matfact', run_name='__main__', alter_sys=True)"
"""Code that does what ``python -m matfact`` does, for `isolated.run_python`."""


def run(*arguments):
    return main([*map(str, arguments)])


def fit(*arguments):
    return run("fit", *arguments, "--quiet")


def errors_in(output):
    """The tables of errors in an output, each {name: (RMSE, MAE)} in the order of the lines."""
    parts = re.split(r"^.*error +RMSE +MAE\n", output, flags=re.MULTILINE)[1:]
    line = re.compile(r"^  (\w.*?) +(\d+\.\d{4}) +(\d+\.\d{4})$", re.MULTILINE)
    return [{name: (float(a), float(b)) for name, a, b in line.findall(part)} for part in parts]


def errors_of(output):
    """The errors of an output with one table."""
    (table,) = errors_in(output)
    return table


def rmse_of(output):
    """The RMSE of each line of the one table of an output."""
    return {name: rmse for name, (rmse, _) in errors_of(output).items()}
