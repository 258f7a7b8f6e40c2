"""Saving fitted models to files, and loading them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from matfact.exceptions import ModelFileError
from matfact.persistence._archive import read_archive, write_archive
from matfact.persistence._state import model_from, packed

if TYPE_CHECKING:
    import os

__all__ = ["load", "save"]


def save(model: Any, path: str | os.PathLike[str], *, include_ratings: bool = True) -> None:
    """Write a fitted model to a file, from which `load` makes an equal one.

    Parameters
    ----------
    model : ALS, SGD, NMF or GD
        A fitted model.
    path : str or PathLike
        Name of the file, taken as it is; ``.npz`` suits. A file of that name is replaced, at once,
        when the new one is complete.
    include_ratings : bool, default=True
        Whether the ratings that the model was trained on are saved too. Without them a loaded model
        predicts, but cannot explain, leave out what a user has seen, or be trained further by
        `partial_fit`.

    Raises
    ------
    NotFittedError
        If the model is not fitted.
    TypeError, ValueError
        If it is not a model of matfact, a parameter is wrong, or ids are neither numbers, dates nor
        text. Nothing is written then.
    OSError
        If writing fails; an older file of the name is then as it was.

    Notes
    -----
    The file is an npz (a zip of arrays) with a JSON header; ``numpy.load`` can look into it. There
    is no pickle in it. Its size is that of the factors, the ids and, in float32, 8 bytes a rating.
    A `random_state` that is a generator is not saved; the seed that it gave to the training is.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> from matfact import ALS, make_ratings
    >>> from matfact.persistence import load, save
    >>> model = ALS(n_factors=4, random_state=0).fit(make_ratings(50, 40, 500, random_state=0))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(model, os.path.join(folder, "model.npz"))
    ...     loaded = load(os.path.join(folder, "model.npz"))
    >>> bool(np.array_equal(loaded.user_factors_, model.user_factors_))
    True
    """
    header, arrays = packed(model, include_ratings)
    write_archive(_path(path), header, arrays)


def load(path: str | os.PathLike[str]) -> Any:
    """Read a model from a file that `save` has written.

    Parameters
    ----------
    path : str or PathLike

    Returns
    -------
    ALS, SGD, NMF or GD
        Equal to the model that was saved, to the last bit of its factors; fitted by whichever
        backend.

    Raises
    ------
    ModelFileError
        If the file is not a model file, is damaged, or was written by a newer matfact; the message
        tells which.
    OSError
        If the file cannot be opened.

    Notes
    -----
    Files may come from anybody: nothing in them is executed, sizes are checked against that of the
    file before memory is taken, and everything that a model relies on is checked. That takes a few
    passes over the arrays, and a sort of the ratings.
    """
    where = _path(path)
    try:
        return model_from(*read_archive(where))
    except ModelFileError as error:
        raise ModelFileError(f"{where} is not a model that can be loaded: {error}") from error


def _path(path: object) -> Any:
    from pathlib import Path  # noqa: PLC0415 (slow to import)

    return Path(path)  # type: ignore[arg-type]  # the constructor is the check
