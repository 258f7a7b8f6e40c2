"""Arrays whose shapes do not fit together, and what lies around arrays in memory.

Callers of the compiled kernels check first. These checks are the second line of defence: a mistake
ends in an exception, never in reading or writing beyond an array.
"""

import inspect
import re

import numpy as np
import pytest

from kernels.gd_paths import compressed_inputs, observed_arrays, rows_of
from kernels.implementations import numpy_gd
from reference import problem

RUN = {"user_step": 0.01, "item_step": 0.02, "n_iterations": 2, "n_threads": 1}


def named(function, *arrays, **others):
    """Name the arguments of a function as its parameters are named."""
    names = list(inspect.signature(getattr(numpy_gd, function)).parameters)
    return {**dict(zip(names, arrays, strict=False)), **others}


def factors(users, items):
    return {"user_factors": users.copy(), "item_factors": items.copy()}


def compressed_call(function, ratings, users, items):
    """Arguments of the functions of the compressed path."""
    long_is_users, long, *products = compressed_inputs(numpy_gd, ratings, users, items)
    short = np.array(items.T if long_is_users else users, order="C")
    carry = np.eye(short.shape[1])
    outputs = [np.zeros_like(product) for product in products]
    return {
        "compress": named("compress", ratings, long_is_users, long, *outputs, n_threads=1),
        "compressed_iterations": named(
            "compressed_iterations", *products, long_is_users, short, short / 9, carry, **RUN
        ),
        "expand": named(
            "expand", ratings, long_is_users, short, carry, long, long * 0, n_threads=1
        ),
    }[function]


def valid_call(function, ratings, users, items):
    """Arguments of a function by name, for a problem with missing ratings."""
    if function in {"compress", "compressed_iterations", "expand"}:
        return compressed_call(function, np.nan_to_num(ratings), users, items)
    arrays = [ratings]
    if function == "full_iterations":
        arrays = [np.nan_to_num(ratings)]
    elif function == "filled_iterations":
        missing = np.isnan(ratings)
        arrays = [np.nan_to_num(ratings), *rows_of(missing), *rows_of(missing.T)]
    elif function == "observed_iterations":
        arrays = observed_arrays(ratings)
    elif function == "observed_squared_error":
        arrays = observed_arrays(ratings)[:3]
    others = RUN if function.endswith("iterations") else {"n_threads": 1}
    return named(function, *arrays, **factors(users, items), **others)


def resized(array, axis, change):
    """Return a copy with some elements more or fewer along an axis; more than there are: none."""
    length = max(0, array.shape[axis] + change)
    return np.ascontiguousarray(np.take(array, np.arange(length), axis=axis, mode="wrap"))


def test_the_calls_here_are_valid(gd_kernel):
    for shape in [(7, 5, 3), (5, 7, 3)]:
        for function in numpy_gd.__all__:
            call = valid_call(function, *problem(*shape, 0.3))
            getattr(gd_kernel, function)(**call)


@pytest.mark.parametrize("shape", [(7, 5, 3), (5, 7, 3)], ids=["tall", "wide"])
@pytest.mark.parametrize("change", [1, -1, 100, -100])
@pytest.mark.parametrize("function", numpy_gd.__all__)
def test_compiled_functions_refuse_shapes_that_do_not_fit(compiled_gd, function, change, shape):
    call = valid_call(function, *problem(*shape, 0.3))
    arrays = {name: array for name, array in call.items() if isinstance(array, np.ndarray)}
    for name, array in arrays.items():
        for axis in range(array.ndim):
            if (function, name, axis) == ("observed_squared_error", "item_factors", 1):
                continue  # no other argument tells the number of items
            wrong = {**call, name: resized(array, axis, change)}
            before = {other: wrong[other].copy() for other in arrays}
            with pytest.raises(ValueError, match="must") as raised:
                getattr(compiled_gd, function)(**wrong)
            message = str(raised.value)
            blamed = re.match(r"(\w+) must have \d+ [\w ]+, not \d+$", message)
            if blamed:
                assert blamed[1] in arrays, message
            else:
                assert message.startswith("there must be at least one user, one item"), message
            for other, copy in before.items():
                np.testing.assert_array_equal(wrong[other], copy)


@pytest.mark.parametrize(
    ("function", "argument"),
    [
        ("full_iterations", "user_factors"),
        ("full_iterations", "item_factors"),
        ("filled_iterations", "user_indptr"),
        ("filled_iterations", "user_indices"),
        ("filled_iterations", "item_indptr"),
        ("filled_iterations", "item_indices"),
        ("observed_iterations", "user_values"),
        ("observed_iterations", "item_values"),
        ("observed_squared_error", "user_values"),
        ("compress", "long_factors"),
        ("compress", "gram"),
        ("compress", "cross"),
        ("compress", "long_gram"),
        ("compressed_iterations", "weights"),
        ("compressed_iterations", "carry"),
        ("expand", "carry"),
        ("expand", "initial_long_factors"),
        ("expand", "out_long_factors"),
    ],
)
def test_the_error_names_the_argument_and_both_lengths(compiled_gd, function, argument):
    call = valid_call(function, *problem(7, 5, 3, 0.3))
    length = len(call[argument])
    call[argument] = resized(call[argument], 0, 1)
    if (function, argument) == ("compress", "cross"):
        expected = "cross must have 5 rows, not 6"
    elif argument.endswith(("indptr", "indices", "values")):
        expected = rf"{argument} must have {length} entries[\w ]*, not {length + 1}"
    else:
        expected = f"{argument} must have {length} rows, not {length + 1}"
    with pytest.raises(ValueError, match=f"^{expected}$"):
        getattr(compiled_gd, function)(**call)


def embedded(array):
    """Return an equal array in the middle of a longer one, and that.

    What lies around would show in the result: NaN beside numbers, and beside indices such as lead
    nowhere.
    """
    around = np.nan if array.dtype.kind == "f" else 2**30
    memory = np.full(array.size + 256, around, dtype=array.dtype)
    inside = memory[128 : 128 + array.size].reshape(array.shape)
    inside[...] = array
    return inside, memory


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("shape", [(1, 1, 1), (13, 5, 3), (5, 13, 17), (50, 99, 8), (98, 49, 31)])
@pytest.mark.parametrize("function", numpy_gd.__all__)
def test_nothing_around_the_arrays_is_read_or_written(gd_kernel, function, shape, dtype):
    call = valid_call(function, *problem(*shape, 0.3, dtype=dtype))
    guarded, memories = {}, []
    for name, value in call.items():
        guarded[name] = value
        if isinstance(value, np.ndarray):
            guarded[name], memory = embedded(value)
            memories.append(memory)
    run = getattr(gd_kernel, function)
    assert run(**guarded) == run(**call)
    for name, value in call.items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(guarded[name], value)
    for memory in memories:
        around = memory[[*range(128), *range(-128, 0)]]
        if memory.dtype.kind == "f":
            assert np.isnan(around).all()
        else:
            assert (around == 2**30).all()
