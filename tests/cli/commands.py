"""Running commands, in this process or in a fresh one, and reading what they report."""

import re

from matfact.cli import main

MODULE = "import runpy; runpy.run_module('matfact', run_name='__main__', alter_sys=True)"
"""Code that does what ``python -m matfact`` does, for `isolated.run_python`."""


def fit(*arguments):
    return main(["fit", *map(str, arguments), "--quiet"])


def reports(output):
    """The errors of every report in an output, each {name: RMSE} in the order of the lines."""
    parts = output.split("held-out RMSE\n")[1:]
    return [
        {
            name: float(error)
            for name, error in re.findall(r"^  (\w.*?) +(\d\.\d+)$", p, re.MULTILINE)
        }
        for p in parts
    ]


def held_out_rmse(output):
    """The errors of an output with one report."""
    (report,) = reports(output)
    return report
