"""Run the command line: ``python -m matfact``."""

import io
import sys

from matfact.cli import main

if __name__ == "__main__":
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A file name that the terminal's encoding cannot show must not end the report.
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.exit(main())
