# length: the options of all commands, most of it their help
"""The options of every command. Nothing here imports what only a running command needs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NoReturn, TypeAlias

from matfact._version import __version__
from matfact.cli._arguments import (
    DELIMITERS,
    column,
    not_negative_number,
    positive_integer,
    positive_number,
    seed,
    share,
    thread_count,
)

__all__ = ["EXIT_BAD_INPUT", "make_parser"]

EXIT_BAD_INPUT = 2

EXIT_CODES = """\
exit codes: 0 done, 1 training diverged or failed, 2 bad arguments or bad file, 130 interrupted
"""

FIT_DESCRIPTION = """\
Factorize the ratings of a file, and tell how well ratings that were held out are predicted.

FILE has a user, an item and a rating in each line, separated by tab, comma, semicolon or '::';
further columns are ignored, a header is recognised, ids may be any text, gzip is fine. Or it is a
Parquet file, which needs pyarrow.

The models are those of Python: matfact.ALS (alternating least squares, the default), VBMF
(variational Bayes, nothing to tune), BPMF (the same model by sampling), SGD (stochastic gradient
descent), NMF (non-negative factors) and GD (the classic gradient descent); for implicit feedback
ials (matfact.ImplicitALS) and bpr (BPR), to which a rating above 0 says that a user chose an item,
and which are reported by the lists that they make.
help(matfact.ALS) explains a model, its parameters and their defaults, which hold for the options
that are not given.
"""

FIT_EPILOG = f"""\
The model is what was trained on the ratings that are not held out; --holdout 0 uses all of them.
matfact.persistence.load reads the file that --out names; so do predict, evaluate and recommend.

{EXIT_CODES}"""

PREDICT_DESCRIPTION = """\
Predict ratings of pairs, as csv with the columns user, item and prediction.

PAIRS has a user and an item in each line, separated by tab, comma, semicolon or '::'; further
columns are ignored, so that a file of ratings will do. A first line is taken as a header if it
holds no id of the model and does not look like ids: where the model has integers it has none, and
where all ids are text it begins with "user".
"""


class _Parser(argparse.ArgumentParser):
    """A parser whose errors take one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(EXIT_BAD_INPUT, f"{self.prog}: {message} (see {self.prog} --help)\n")


Commands: TypeAlias = "argparse._SubParsersAction[_Parser]"  # noqa: SLF001 (its only name)


def make_parser() -> argparse.ArgumentParser:
    """Make the parser; `command` of its result names the module of the command."""
    parser = _Parser(
        prog="python -m matfact", description="Matrix factorization of ratings.", epilog=EXIT_CODES
    )
    parser.add_argument("--version", action="version", version=f"matfact {__version__}")
    commands = parser.add_subparsers(
        title="commands",
        required=True,
        metavar="{fit,predict,evaluate,recommend,demo,info}",
    )
    _add_fit(commands)
    _add_predict(commands)
    _add_evaluate(commands)
    _add_recommend(commands)
    _add_demo(commands)
    info = commands.add_parser("info", help="show the backend in use, threads and versions")
    info.set_defaults(command="info")
    return parser


def _add_fit(commands: Commands) -> None:
    fit = commands.add_parser(
        "fit",
        help="factorize the ratings of a file",
        description=FIT_DESCRIPTION,
        epilog=FIT_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_ratings_file(fit)
    _add_model_options(fit)
    fit.add_argument(
        "--holdout",
        type=share,
        default=0.1,
        metavar="SHARE",
        help="share of the ratings held out at random for the report; 0 trains on all "
        "(default %(default)s)",
    )
    fit.add_argument(
        "--validation",
        type=share,
        metavar="SHARE",
        help="share of the training ratings whose error stops the training and chooses the epoch "
        "that is kept; 0 for none (default: 0.1 for gd, none for the others)",
    )
    fit.add_argument(
        "--seed",
        type=seed,
        default=0,
        metavar="N",
        help="seed of the split and of the training (default %(default)s)",
    )
    _add_out(fit, "write the model to this file, such as model.npz")
    _add_threads(fit)
    _add_quiet(fit)
    fit.set_defaults(command="fit")


def _add_model_options(fit: _Parser) -> None:
    fit.add_argument(
        "--model",
        choices=("als", "vbmf", "bpmf", "sgd", "nmf", "gd", "ials", "bpr"),
        default="als",
        help="how to factorize (default %(default)s)",
    )
    fit.add_argument(
        "--factors",
        "--features",
        type=positive_integer,
        metavar="N",
        help="length of the factors of a user and of an item",
    )
    fit.add_argument(
        "--iterations", type=positive_integer, metavar="N", help="most epochs over all ratings"
    )
    fit.add_argument(
        "--regularization",
        type=not_negative_number,
        metavar="NUMBER",
        help="penalty of large factors; its scale differs from model to model",
    )
    fit.add_argument(
        "--learning-rate",
        type=positive_number,
        metavar="RATE",
        help="size of a step; of sgd, gd and bpr only",
    )
    fit.add_argument(
        "--link",
        choices=("users", "items", "both"),
        help="sides of which it tells something what they have rated, whatever the ratings; of "
        "vbmf and bpmf only",
    )


def _add_predict(commands: Commands) -> None:
    predict = commands.add_parser(
        "predict",
        help="predict ratings of pairs by a saved model",
        description=PREDICT_DESCRIPTION,
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_model_file(predict)
    predict.add_argument("pairs", metavar="PAIRS", type=Path, nargs="?", help="pairs: csv or tsv")
    predict.add_argument("--user", metavar="ID", help="with --item: a single pair, without a file")
    predict.add_argument("--item", metavar="ID", help="the item of the pair")
    predict.add_argument(
        "--unknown",
        choices=("raise", "mean"),
        default="raise",
        help="what becomes of a user or an item that the model does not know: an error, or the "
        "prediction for an average one (default %(default)s)",
    )
    _add_delimiter(predict)
    _add_out(predict, "write the csv to this file instead of standard output")
    _add_threads(predict)
    predict.set_defaults(command="predict")


def _add_evaluate(commands: Commands) -> None:
    evaluate = commands.add_parser(
        "evaluate",
        help="compare a saved model with the ratings of a file",
        description="RMSE and MAE of a saved model on the ratings of a file. Users and items that "
        "the model does not know are counted, and predicted as average ones. With --ranking the "
        "items that the model recommends to the users of the file, without what they have seen, "
        "are compared with those in the file; unknown users are left out.",
        epilog=EXIT_CODES,
    )
    _add_model_file(evaluate)
    _add_ratings_file(evaluate)
    evaluate.add_argument(
        "--ranking", action="store_true", help="measure the lists of best items, not predictions"
    )
    evaluate.add_argument(
        "--k",
        type=positive_integer,
        default=10,
        metavar="N",
        help="length of these lists (default %(default)s)",
    )
    evaluate.add_argument(
        "--at-least",
        type=float,
        metavar="RATING",
        help="rating from which an item is one that the user liked (default: any above 0)",
    )
    _add_threads(evaluate)
    evaluate.set_defaults(command="evaluate")


def _add_recommend(commands: Commands) -> None:
    recommend = commands.add_parser(
        "recommend",
        help="the best items for users by a saved model",
        description="The items with the highest predictions for a user, as csv with the columns "
        "item and score, the best first; for many users with the columns user, item and score.",
        epilog=EXIT_CODES,
    )
    _add_model_file(recommend)
    recommend.add_argument("user", metavar="USER", nargs="?", help="id of the user")
    recommend.add_argument(
        "--users", type=Path, metavar="FILE", help="many users: a file with one a line"
    )
    recommend.add_argument("--all", action="store_true", help="all users of the model")
    recommend.add_argument(
        "-n", "--n", type=positive_integer, default=10, help="number of items (default %(default)s)"
    )
    recommend.add_argument(
        "--include-seen",
        action="store_true",
        help="recommend also what the user has rated in the training data",
    )
    recommend.add_argument(
        "--candidates", type=Path, metavar="FILE", help="only these items: a file with one a line"
    )
    _add_out(
        recommend, "write to this file instead of standard output: Parquet if it ends so, else csv"
    )
    _add_threads(recommend)
    recommend.set_defaults(command="recommend")


def _add_demo(commands: Commands) -> None:
    demo = commands.add_parser(
        "demo",
        help="factorize synthetic ratings and time both backends; needs no file and no network",
        description="Factorize a seeded synthetic ratings matrix; compare with the baselines on "
        "held-out ratings, and time an iteration of the classic gradient descent on both backends.",
    )
    demo.add_argument("--seed", type=seed, default=0, help="seed of the data and of the training")
    demo.add_argument("--time-only", action="store_true", help=argparse.SUPPRESS)
    _add_threads(demo)
    _add_quiet(demo)
    demo.set_defaults(command="demo")


def _add_ratings_file(parser: _Parser) -> None:
    parser.add_argument(
        "file", metavar="FILE", type=Path, help="ratings: csv or tsv, plain or gzip, or Parquet"
    )
    for place, name in enumerate(("user", "item", "rating")):
        parser.add_argument(
            f"--{name}",
            type=column,
            metavar="COLUMN",
            help=f"column of the {name}s: its name in the header, or its number from 0 "
            f"(default {place})",
        )
    _add_delimiter(parser)
    parser.add_argument(
        "--duplicates",
        choices=("raise", "last", "mean", "sum"),
        default="raise",
        help="what becomes of a user's further ratings of the same item (default: an error)",
    )


def _add_model_file(parser: _Parser) -> None:
    parser.add_argument("model", metavar="MODEL", type=Path, help="file that fit --out has written")


def _add_delimiter(parser: _Parser) -> None:
    parser.add_argument("--delimiter", choices=DELIMITERS, help="separator, if not recognised")


def _add_out(parser: _Parser, text: str) -> None:
    parser.add_argument("--out", type=Path, metavar="PATH", help=text)
    parser.add_argument("--overwrite", action="store_true", help="let --out replace a file")


def _add_threads(parser: _Parser) -> None:
    parser.add_argument(
        "--threads",
        type=thread_count,
        metavar="N",
        help="number of threads (default: as OpenMP decides); results do not depend on it",
    )


def _add_quiet(parser: _Parser) -> None:
    parser.add_argument("--quiet", action="store_true", help="no progress on standard error")
