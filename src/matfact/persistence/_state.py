# length: the one description of what a file holds, and every check of it
"""From a fitted model to a header and arrays, and back with every check that can be made.

What a fitted model consists of is read off the annotations of its class: those that end in an
underscore. So a new model, or a new attribute, needs nothing here.
"""

from __future__ import annotations

import inspect
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from matfact.exceptions import ModelFileError
from matfact.persistence._columns import (
    history_from,
    packed_history,
    packed_ratings,
    ratings_from,
)
from matfact.persistence._ids import ids_from, packed_ids
from matfact.training import BestState

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

    from numpy.typing import NDArray

    Header: TypeAlias = dict[str, Any]
    Arrays: TypeAlias = dict[str, NDArray[Any]]

__all__ = ["model_from", "packed"]

DTYPES = {"float32": np.float32, "float64": np.float64}
SIDES = ("user", "item")
AXES = {"biases": 1, "reliabilities": 1, "covariances": 3}
PRECISIONS = ("precision", "precisions", "noises")
"""Ends of the names of arrays whose numbers, or matrices, are above 0."""
LARGEST_SIDE = 2**31 - 1
LARGEST_INT = 2**63 - 1


def model_classes() -> dict[str, type[Any]]:
    """Return the classes whose models can be saved, by name."""
    from matfact import models  # noqa: PLC0415 (they may import this package)

    explicit = (models.ALS, models.SGD, models.NMF, models.GD, models.VBMF, models.BPMF)
    classes = (*explicit, models.ImplicitALS, models.BPR)
    return {model.__name__: model for model in classes}


def fitted_attributes(model: type[Any]) -> dict[str, str]:
    """Return the annotated attributes of fitted models, with their types as text."""
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        for name, annotation in inspect.get_annotations(base).items():
            if name.endswith("_") and not name.startswith("_"):
                found[name] = str(annotation)
    return found


def feature_names(model: type[Any]) -> list[str]:
    """Return the attributes that hold names of features, without the underscore."""
    attributes = fitted_attributes(model)
    return [name.rstrip("_") for name in attributes if name.endswith("_feature_names_")]


def packed(model: Any, include_ratings: bool) -> tuple[Header, Arrays]:
    """Return what a file of the model holds.

    Raises
    ------
    TypeError, ValueError
        If it is not a model of matfact, or holds what cannot be saved.
    NotFittedError
        If it is not fitted.
    """
    name = type(model).__name__
    if model_classes().get(name) is not type(model):
        known = ", ".join(model_classes())
        raise TypeError(f"a {name} cannot be saved; give a fitted model: {known}")
    model._check_is_fitted()  # noqa: SLF001 (the contract of estimators)
    _check_parameters(model)
    numbers: dict[str, Any] = {}
    arrays: Arrays = {}
    for attribute, kind in fitted_attributes(type(model)).items():
        value = getattr(model, attribute)
        if kind in ("float", "int"):
            numbers[attribute] = value.item() if isinstance(value, np.generic) else value
        elif kind.startswith("tuple[float"):
            numbers[attribute] = [float(one) for one in value]
        elif kind.startswith("NDArray") and value is not None:
            arrays[attribute.rstrip("_")] = value
    header: Header = {
        "model": name,
        "parameters": {key: _plain(key, value) for key, value in model.get_params().items()},
        "numbers": numbers,
        "shape": [len(model.user_ids_), len(model.item_ids_)],
    }
    for ids_name in ("user_ids", "item_ids", *feature_names(type(model))):
        ids = getattr(model, f"{ids_name}_")
        if ids is None:
            continue
        header[ids_name], array = packed_ids(ids, ids_name)
        if array is not None:
            arrays[ids_name] = array
    arrays |= packed_history(model.history_)
    if include_ratings and model.ratings_ is not None:
        arrays |= packed_ratings(model.ratings_)
    best: BestState | None = getattr(model, "_best", None)
    if best is not None:  # of a training that was cut short
        header["best"] = {"epoch": best.epoch, "error": best.error}
        arrays |= {f"best_{key}": array for key, array in best.arrays.items()}
    return header, arrays


def _plain(name: str, value: Any) -> Any:
    """Return a parameter as a value of JSON."""
    if name == "random_state":
        return int(value) if isinstance(value, int | np.integer) else None
    if name == "dtype":
        return np.dtype(value).name
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(
        f"parameter {name} is {value!r}, which cannot be saved; give numbers, text, True, False or "
        "None"
    )


def _check_parameters(model: Any) -> None:
    model._check_common_parameters()  # noqa: SLF001 (the contract of estimators)
    model._check_parameters()  # noqa: SLF001


def model_from(header: Mapping[str, Any], arrays: Arrays) -> Any:
    """Return the model of a header and arrays.

    Raises
    ------
    ModelFileError
        If they are not those of a model.
    """
    name = header.get("model")
    model_class = model_classes().get(name) if isinstance(name, str) else None
    if model_class is None:
        known = ", ".join(model_classes())
        raise ModelFileError(
            f"it holds a model of class {str(name)[:70]!r}; this version knows {known}"
        )
    model = _unfitted(model_class, header.get("parameters"))
    attributes = fitted_attributes(model_class)
    _check_names(attributes, arrays)
    shape = _shape(header.get("shape"))
    numbers = header.get("numbers")
    if not isinstance(numbers, dict):
        raise ModelFileError("its header has no numbers")
    for attribute, kind in attributes.items():
        if kind in ("float", "int") or kind.startswith("tuple[float"):
            setattr(model, attribute, _number(numbers, attribute, kind))
        elif kind.startswith("NDArray") and attribute.rstrip("_") in model._shared_arrays:  # noqa: SLF001
            setattr(model, attribute, _shared(arrays, attribute, kind))
        elif kind.startswith("NDArray"):
            setattr(model, attribute, _rows(arrays, attribute, kind, shape))
    for name in feature_names(model_class):
        setattr(model, f"{name}_", _feature_names(header, arrays, name))
    _check_together(model, shape)
    model.user_ids_ = ids_from(header.get("user_ids"), arrays, "user_ids", shape[0])
    model.item_ids_ = ids_from(header.get("item_ids"), arrays, "item_ids", shape[1])
    model.history_ = history_from(arrays)
    model.ratings_ = ratings_from(arrays, model.user_ids_, model.item_ids_)
    model._best = _best(header.get("best"), arrays, model)  # noqa: SLF001
    return model


def _unfitted(model_class: type[Any], parameters: Any) -> Any:
    if not isinstance(parameters, dict):
        raise ModelFileError("its header has no parameters")
    known = model_class().get_params()
    for name, value in parameters.items():
        if name not in known:
            raise ModelFileError(
                f"parameter {name[:70]!r} is unknown to {model_class.__name__} of this version; "
                "install the matfact that wrote the file"
            )
        if not (value is None or isinstance(value, bool | int | float | str)):
            raise ModelFileError(f"parameter {name} is neither a number nor text")
    dtype = parameters.get("dtype")
    if isinstance(dtype, str) and dtype in DTYPES:
        parameters = {**parameters, "dtype": DTYPES[dtype]}
    model = model_class(**parameters)
    try:
        _check_parameters(model)
    except (TypeError, ValueError, OverflowError) as error:
        raise ModelFileError(f"its parameters are wrong: {error}") from error
    return model


def _check_names(attributes: Mapping[str, str], arrays: Arrays) -> None:
    own = {name.rstrip("_") for name in attributes}
    for name in arrays:
        if name not in own and not name.startswith(("history_", "ratings_", "best_")):
            raise ModelFileError(f"array {name} has no place in the model")


def _shape(shape: Any) -> tuple[int, int]:
    if (
        not isinstance(shape, list)
        or len(shape) != 2
        or not all(type(side) is int and 1 <= side <= LARGEST_SIDE for side in shape)
    ):
        raise ModelFileError("its header does not tell the numbers of users and items")
    return shape[0], shape[1]


def _number(numbers: dict[str, Any], name: str, kind: str) -> Any:
    value = numbers.get(name)
    if kind == "int":
        if type(value) is int and 0 <= value <= LARGEST_INT:
            return value
    elif kind == "float":
        if value is not None and _is_finite(value):
            return float(value)
    elif isinstance(value, list) and len(value) == 2 and all(map(_is_finite, value)):
        return float(value[0]), float(value[1])
    raise ModelFileError(f"{name} is missing or out of range")


def _is_finite(value: Any) -> bool:
    try:
        return type(value) in (int, float) and math.isfinite(value)
    except OverflowError:
        return False


def _rows(arrays: Arrays, attribute: str, kind: str, shape: tuple[int, int]) -> Any:
    """Return the array of an attribute, with a row for each user or item."""
    name = attribute.rstrip("_")
    array = arrays.get(name)
    if array is None:
        if "None" in kind:
            return None
        raise ModelFileError(f"array {name} is missing")
    size = shape[SIDES.index(name.partition("_")[0])]
    axes = AXES.get(name.partition("_")[2], 2)
    if array.dtype.kind != "f" or array.ndim != axes or len(array) != size or not array.size:
        raise ModelFileError(
            f"array {name} of dtype {array.dtype} and shape {array.shape} does not fit {size} rows"
        )
    _check_finite(array, name)
    if "_reliabilit" in name and not array.min() > 0:
        raise ModelFileError(f"array {name} holds a number that is not above 0")
    return array


def _shared(arrays: Arrays, attribute: str, kind: str) -> Any:
    """Return the array of an attribute that belongs to no rows; `_check_together` has its shape."""
    name = attribute.rstrip("_")
    array = arrays.get(name)
    if array is None and "None" in kind:
        return None
    dtype = "int64" if "int64" in kind else "float64"
    if array is None or array.dtype != dtype or not array.size:
        raise ModelFileError(f"array {name} is missing, or not of dtype {dtype}")
    _check_finite(array, name)
    return array


def _feature_names(header: Mapping[str, Any], arrays: Arrays, name: str) -> Any:
    """Return the names of the features of a side; None if there are none."""
    coefficients = arrays.get(name.replace("_names", "_coefficients"))
    if coefficients is None:
        if name in header or name in arrays:
            raise ModelFileError(f"{name} are there without their coefficients")
        return None
    if coefficients.ndim != 2:
        raise ModelFileError(f"{name} have coefficients of shape {coefficients.shape}")
    return ids_from(header.get(name), arrays, name, len(coefficients))


def _check_finite(array: NDArray[Any], name: str) -> None:
    with np.errstate(over="ignore", invalid="ignore"):
        if math.isfinite(array.sum(dtype=np.float64)):  # one pass without an array of booleans
            return
    if not np.isfinite(array).all():
        raise ModelFileError(f"array {name} holds a number that is not finite")


def _check_together(model: Any, shape: tuple[int, int]) -> None:
    """Check what concerns several attributes."""
    users, items = model.user_factors_, model.item_factors_
    rows = [users, items, model.user_biases_, model.item_biases_]
    if (
        users.shape[1] != items.shape[1]
        or (model.user_biases_ is None) != (model.item_biases_ is None)
        or len({array.dtype for array in rows if array is not None}) != 1
    ):
        raise ModelFileError("the factors of users and items do not belong together")
    for name, expected in model._further_shapes().items():  # noqa: SLF001 (the contract)
        found = getattr(getattr(model, f"{name}_"), "shape", None)
        if found != expected:
            raise ModelFileError(f"array {name} has shape {found}, not {expected}")
    _check_precisions(model)
    problem = model._problem_of_arrays()  # noqa: SLF001 (the contract)
    if problem is not None:
        raise ModelFileError(problem)
    low, high = model.rating_range_
    if low > high or model.n_features_in_ != shape[1]:
        raise ModelFileError("rating_range_ or n_features_in_ is out of range")


def _check_precisions(model: Any) -> None:
    """Check what has to be above 0, as a number or as a matrix."""
    for name in model._shared_arrays:  # noqa: SLF001 (the contract)
        array = getattr(model, f"{name}_")
        if array is None or not name.endswith(PRECISIONS):
            continue
        try:
            # A number is a matrix of one row.
            np.linalg.cholesky(array if array.ndim > 1 else array[:, np.newaxis, np.newaxis])
        except np.linalg.LinAlgError as error:
            raise ModelFileError(f"array {name} holds a precision that is not above 0") from error


def _is_like(array: NDArray[Any], other: NDArray[Any]) -> bool:
    return array.shape == other.shape and array.dtype == other.dtype


def _best(stored: Any, arrays: Arrays, model: Any) -> BestState | None:
    found = {name[len("best_") :]: array for name, array in arrays.items() if name[:5] == "best_"}
    if stored is None and not found:
        return None
    own = {name: getattr(model, f"{name}_", None) for name in found}
    if not isinstance(stored, dict) or not {"user_factors", "item_factors"} <= set(found):
        raise ModelFileError("the best state of an unfinished training is not complete")
    for name, array in found.items():
        like = own[name]
        is_fixed = name in model._fixed_arrays  # noqa: SLF001 (the contract)
        if is_fixed or not isinstance(like, np.ndarray) or not _is_like(array, like):
            raise ModelFileError(f"array best_{name} does not fit the model")
        _check_finite(array, f"best_{name}")
    epoch, error = _number(stored, "epoch", "int"), _number(stored, "error", "float")
    return BestState(epoch, error, found)
