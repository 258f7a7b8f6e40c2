"""What users of other libraries complain of most: here a clear error, or the right result.

The numbers are those of the list that the tests were written from: repeated complaints in the
trackers of nine libraries for matrix factorization.
"""

import subprocess
import sys
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest
from scipy import sparse

import matfact
from isolated import output_of
from matfact import ALS, BPMF, BPR, NMF, SGD, Ratings, make_ratings
from matfact.exceptions import DivergenceError, UnknownIdError
from models.cases import (
    CLASSES,
    EXPLICIT_CLASSES,
    dense_matrix,
    named_ratings,
    same_bits,
    unclipped,
)


def quick(cls, **parameters):
    """A model of the defaults, but for the many samples of BPMF."""
    few = {"max_iter": 12, "burn_in": 4, "n_samples": 4, "thinning": 2} if cls is BPMF else {}
    return cls(**few | parameters)


each_explicit_class = pytest.mark.parametrize("cls", EXPLICIT_CLASSES)
each_class = pytest.mark.parametrize("cls", CLASSES)


@pytest.fixture(scope="module")
def ratings():
    return named_ratings()


# 1. Installation: tests/builds and .ci/run build, install and run wheels on each Python.


# 2. Cold start, new users and items, increments.
@each_class
def test_new_users_are_served_without_a_new_training(cls, ratings):
    model = quick(cls, n_factors=2, random_state=0).fit(ratings)
    likes = Ratings.from_triples(["ann"] * 3, ["film 01", "film 02", "film 05"], [5, 5, 1])
    items, scores = model.add_users(likes).recommend("ann", n=3)
    assert len(items) == 3
    assert not set(items) & {"film 01", "film 02", "film 05"}
    assert np.isfinite(scores).all()


# 3. Which side is users, and which id is which row.
@each_class
def test_ids_mean_the_same_in_every_method(cls, ratings):
    model = unclipped(partial(quick, cls), n_factors=2, random_state=0).fit(ratings)
    items, scores = model.recommend("u07", n=5)
    np.testing.assert_allclose(model.predict("u07", items), scores, rtol=1e-5)
    np.testing.assert_allclose(
        model.predict_all(["u07"])[0][model.item_ids_.positions(items)], scores, rtol=1e-5
    )
    with pytest.raises(UnknownIdError):
        model.recommend("film 01")
    with pytest.raises(UnknownIdError):
        model.similar_items("u07")


@each_class
def test_integer_ids_are_ids_and_not_positions(cls):
    ratings = Ratings.from_triples([7, 7, 100], [30, 20, 30], [5, 1, 4])
    model = quick(cls, n_factors=1, random_state=0).fit(ratings)
    assert np.isfinite(model.predict(100, 20))
    for user, item in [(0, 20), (1, 30), (7, 0), (-1, 20), (7.5, 20), ("7", 20)]:
        with pytest.raises(UnknownIdError):
            model.predict(user, item)


# 4. BLAS threads, OpenMP, and their environment.
def test_training_leaves_the_threads_of_blas_alone():
    code = """
import numpy as np, threadpoolctl, matfact
before = threadpoolctl.threadpool_info()
ratings = matfact.make_ratings(300, 200, 5000, random_state=0)
for cls in (matfact.ALS, matfact.SGD, matfact.NMF, matfact.GD):
    cls(max_iter=2, random_state=0, n_threads=2).fit(ratings)
after = threadpoolctl.threadpool_info()
blas = lambda info: [(i["prefix"], i["num_threads"]) for i in info if i["user_api"] == "blas"]
print(blas(before) == blas(after))
"""
    pytest.importorskip("threadpoolctl")
    assert output_of(code) == "True"


# 5. Crashes: each of these ends a process elsewhere, or reads foreign memory.
@each_class
def test_refits_of_every_shape(cls):
    model = quick(cls, n_factors=3, random_state=0)
    for shape in [(5, 4), (40, 3), (3, 40), (1, 1), (1, 9), (9, 1), (30, 30)]:
        model.fit(np.random.default_rng(0).integers(1, 6, shape).astype(float))
        assert model.predict_all().shape == shape


@each_class
def test_positions_out_of_range_never_reach_a_kernel(cls):
    with pytest.raises(ValueError, match=r"items\[1\] is 9"):
        Ratings.from_triples([0, 1], [0, 9], [1, 2], shape=(2, 3))
    with pytest.raises(ValueError, match=r"users\[0\] is -1"):
        Ratings.from_triples([-1, 1], [0, 1], [1, 2], shape=(2, 3))
    bad = sparse.csr_array(np.eye(3))
    bad.indices[1] = 77
    with pytest.raises(ValueError, match="77"):
        cls().fit(bad)
    model = quick(cls, n_factors=2, random_state=0).fit(np.eye(3))
    for ids in (3, -1, 2**40, -(2**40)):
        with pytest.raises(UnknownIdError):
            model.predict(ids, 0)
        with pytest.raises(UnknownIdError):
            model.recommend(ids)


@each_class
def test_many_more_factors_than_ratings(cls):
    n_factors = 100 if cls is BPMF else 700  # it inverts matrices of them 40 times an iteration
    model = quick(cls, n_factors=n_factors, max_iter=2, random_state=0).fit(dense_matrix(6, 5))
    assert np.isfinite(model.predict_all()).all()


# 6. NaN and divergence, late or never reported.
@each_class
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_named(cls, bad):
    stored = sparse.csr_array(np.array([[1.0, 2.0], [3.0, bad]]))
    with pytest.raises(ValueError, match=r"1.*1.*(nan|inf)"):
        cls().fit(stored)
    with pytest.raises(ValueError, match=r"values\[1\] is -?(nan|inf)"):
        Ratings.from_triples([0, 1], [0, 1], [3, bad])
    if np.isinf(bad):
        with pytest.raises(ValueError, match="inf"):
            cls().fit(np.array([[1.0, 2.0], [3.0, bad]]))


def test_divergence_is_told_in_the_epoch_in_which_it_happens(ratings):
    model = SGD(schedule="constant", learning_rate=30, max_iter=500, random_state=0)
    with pytest.raises(DivergenceError, match="lower learning_rate") as caught:
        model.fit(ratings)
    assert caught.value.epoch == model.n_iter_ + 1 < 100
    assert np.isfinite(model.predict_all()).all()


@each_class
@pytest.mark.parametrize("factor", [1e-30, 1e30])
def test_tiny_and_huge_ratings(cls, factor):
    """Squares of these leave float32: a finite answer, or an error, never NaN."""
    matrix = dense_matrix() * factor
    try:
        model = quick(cls, n_factors=2, random_state=0, max_iter=3).fit(matrix)
    except (DivergenceError, ValueError):
        return
    assert np.isfinite(model.predict_all()).all()


# 7. Scoring that is slow or takes the memory of all users times all items.
def test_a_recommendation_needs_memory_for_the_items_only():
    ratings = make_ratings(20_000, 50, 60_000, random_state=0)
    model = ALS(n_factors=2, max_iter=1, random_state=0).fit(ratings)
    tracemalloc.start()
    model.recommend(123, n=10)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100_000


# 8. A seed that does not make results reproducible with several threads: test_threads.py.
@each_class
def test_a_seed_is_enough(cls, ratings):
    models = [quick(cls, random_state=3, n_threads=n).fit(ratings) for n in (1, 3)]
    assert same_bits(*models)


# 9. Hours without a sign of life.
@each_class
def test_progress_can_be_seen(cls, ratings, caplog):
    epochs = []
    quick(cls, n_factors=2, random_state=0, max_iter=3, tol=0).fit(
        ratings, callbacks=[lambda state: epochs.append(state.epoch)]
    )
    assert epochs == [1, 2, 3]


# 10. Missing values and weights in non-negative factorization; large numbers.
def test_nmf_takes_missing_values_and_weights():
    matrix = dense_matrix(missing=0.5)
    assert np.isfinite(NMF(random_state=0).fit(matrix).predict_all()).all()
    weighted = Ratings.from_triples([0, 0, 1], [0, 1, 1], [5, 1, 3], weights=[1, 0.5, 2])
    assert np.isfinite(NMF(n_factors=1, random_state=0).fit(weighted).predict_all()).all()


def test_positions_beyond_32_bits_are_refused_not_wrapped():
    with pytest.raises(ValueError, match=str(2**31)):
        Ratings.from_triples([0], [0], [1.0], shape=(2**31, 1))
    ids = Ratings.from_triples([2**40, 5], [2**50, 7], [1.0, 2.0])
    assert ids.user_ids.ids.tolist() == [5, 2**40]


# Bad input, from the table of what happens elsewhere.
@each_class
def test_duplicates_are_named(cls):
    doubled = sparse.coo_array(([1.0, 2.0, 3.0], ([0, 1, 1], [0, 1, 1])), shape=(2, 2))
    with pytest.raises(ValueError, match=r"1.*1.*twice"):
        cls().fit(doubled)


@each_class
@pytest.mark.parametrize("dtype", [np.float16, np.int8, np.int64, np.uint16, bool, np.longdouble])
def test_ratings_of_any_real_dtype(cls, dtype):
    matrix = np.array([[1, 0, 1], [0, 1, 1], [1, 1, 0]]).astype(dtype)
    plain = quick(cls, n_factors=2, random_state=0).fit(matrix.astype(np.float64))
    assert same_bits(quick(cls, n_factors=2, random_state=0).fit(matrix), plain)


@each_class
def test_zeros_are_ratings(cls):
    stored = sparse.csr_array(np.ones((2, 3)))
    stored.data[2] = 0.0
    model = quick(cls, n_factors=1, random_state=0).fit(stored)
    assert model.ratings_.n_ratings == 6
    assert model.rating_range_[0] == 0


@each_class
def test_rows_and_columns_without_ratings(cls):
    matrix = dense_matrix()
    matrix[0], matrix[-1], matrix[:, 2] = np.nan, np.nan, np.nan
    model = quick(cls, n_factors=2, random_state=0).fit(matrix)
    assert np.isfinite(model.predict_all()).all()
    items, _ = model.recommend(0, n=100)
    assert len(items) == 8
    if cls is not BPR:
        assert len(model.explain(0, 1)[0]) == 0


@each_class
def test_inputs_are_not_modified(cls):
    matrix = dense_matrix()
    before = matrix.copy()
    stored = sparse.csr_array(np.nan_to_num(matrix))
    data = stored.data.copy()
    for X in (matrix, stored):
        model = quick(cls, n_factors=2, random_state=0).fit(X)
        model.transform(X)
        model.partial_fit(X)
    np.testing.assert_array_equal(matrix, before)
    np.testing.assert_array_equal(stored.data, data)


@each_explicit_class
def test_all_ratings_equal(cls):
    model = quick(cls, n_factors=2, random_state=0).fit(np.full((6, 5), 3.0))
    np.testing.assert_allclose(model.predict_all(), 3.0, atol=1e-5)


@each_explicit_class
def test_a_single_rating(cls):
    model = quick(cls, n_factors=2, random_state=0).fit(np.array([[4.0]]))
    np.testing.assert_allclose(model.predict_all(), 4.0, atol=1e-5)


def test_a_trained_model_works_in_a_forked_child():
    code = """
import multiprocessing, numpy as np, matfact
ratings = matfact.make_ratings(2000, 1500, 100000, random_state=0)
model = matfact.ALS(n_factors=24, max_iter=2, random_state=0, n_threads=2).fit(ratings)

def child(queue):
    again = matfact.ALS(n_factors=24, max_iter=2, random_state=0, n_threads=2).fit(ratings)
    queue.put(again.user_factors_.tobytes() == model.user_factors_.tobytes())

if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    process = context.Process(target=child, args=(queue,))
    process.start()
    print(queue.get(timeout=60))
    process.join()
"""
    assert output_of(code) == "True"


def test_two_threads_may_train_at_once(ratings):
    alone = [quick(cls, random_state=0).fit(ratings) for cls in CLASSES]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda cls: quick(cls, random_state=0).fit(ratings), CLASSES))
    assert all(map(same_bits, alone, together))


def test_public_names_resolve_in_a_fresh_process():
    names = [name for name in matfact.__all__ if not name.startswith("_")]
    code = f"import matfact; print(all(hasattr(matfact, n) for n in {names!r}))"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "True"
