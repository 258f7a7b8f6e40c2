"""Other libraries behind one kind of function each, and what they need as input.

Every peer is optional: `installed` tells which are there. README.md says how to install them so
that the comparison is fair (LIBMF has to be compiled for AVX; PyPI's build is plain scalar code).
"""

# ruff: noqa: PLC0415 (peers are optional, and imported where they are used)

from __future__ import annotations

import contextlib
import importlib.util
import io

import numpy as np

__all__ = [
    "blas_epoch",
    "cmfrec_fit",
    "installed",
    "lenskit_fit",
    "libmf_fit",
    "libmf_fit_with",
    "libmf_predict",
    "myfm_blocks",
    "myfm_fit",
    "myfm_groups",
    "surprise_fit",
    "surprise_predict",
    "surprise_trainset",
]


def installed(name):
    """Tell whether a peer can be imported."""
    return importlib.util.find_spec(name) is not None


def triples(ratings):
    """Return what LIBMF takes: an array of float32 rows (user, item, rating)."""
    columns = ratings.users, ratings.user_indices, ratings.user_values
    return np.column_stack(columns).astype(np.float32)


def libmf_fit(rows, n_factors, epochs, *, regularization=0.05, eta=0.1, n_threads=1):
    """Train LIBMF's real-valued factorization; the objective is that of matfact's SGD."""
    return libmf_fit_with(
        rows,
        k=n_factors,
        nr_iters=epochs,
        nr_threads=n_threads,
        lambda_p1=0.0,
        lambda_q1=0.0,
        lambda_p2=regularization,
        lambda_q2=regularization,
        eta=eta,
    )


def libmf_fit_with(rows, **options):
    """Train LIBMF with options of the libmf package, which has defaults of its own."""
    with contextlib.redirect_stdout(io.StringIO()):  # it greets when it is imported
        from libmf import mf
    model = mf.MF(quiet=True, **options)
    model.fit(rows)
    return model


def libmf_predict(model, test):
    """Return LIBMF's predictions, cut to 1..5 as those of matfact are.

    From its factors: ``MF.predict`` of libmf 0.9.2 passes rows where its C code reads columns, and
    so answers for other pairs. Users and items without ratings get LIBMF's mean, as it does.
    """
    fitted = model.model
    users = np.ctypeslib.as_array(fitted.P, (fitted.m * fitted.k,)).reshape(fitted.m, fitted.k)
    items = np.ctypeslib.as_array(fitted.Q, (fitted.n * fitted.k,)).reshape(fitted.n, fitted.k)
    known = (test.users < fitted.m) & (test.user_indices < fitted.n)
    out = np.full(test.n_ratings, np.nan)
    of_users, of_items = test.users[known], test.user_indices[known]
    out[known] = np.einsum("rf,rf->r", users[of_users], items[of_items])
    return np.clip(np.where(np.isfinite(out), out, fitted.b), 1, 5)


def cmfrec_fit(matrix, n_factors, epochs, *, use_cg, regularization=5.0, n_threads=1):
    """Train cmfrec's CMF with biases on a scipy matrix, without what only serving needs."""
    from cmfrec import CMF

    model = CMF(
        k=n_factors,
        lambda_=regularization,
        use_cg=use_cg,
        finalize_chol=False,
        niter=epochs,
        nthreads=n_threads,
        precompute_for_predictions=False,
        include_all_X=False,
        produce_dicts=False,
        verbose=False,
    )
    return model.fit(matrix)


def lenskit_fit(ratings, n_factors, epochs, *, regularization=0.05, n_threads=1):
    """Train LensKit's BiasedMFScorer: biases first, then ALS by Cholesky on what they leave."""
    import pandas as pd
    from lenskit.als import BiasedMFScorer
    from lenskit.config import ParallelSettings
    from lenskit.data import from_interactions_df
    from lenskit.parallel import get_parallel_config, init_threading
    from lenskit.training import TrainingOptions

    wanted = ParallelSettings(num_threads=n_threads, num_backend_threads=1)
    init_threading(wanted)  # once in a process: later calls only warn
    if get_parallel_config().num_threads != n_threads:
        raise RuntimeError("LensKit takes its number of threads once in a process")
    users, items, values = ratings.users, ratings.user_indices, ratings.user_values
    frame = pd.DataFrame({"user_id": users, "item_id": items, "rating": values})
    model = BiasedMFScorer(embedding_size=n_factors, epochs=epochs, regularization=regularization)
    model.train(from_interactions_df(frame), TrainingOptions(rng=0))
    return model


def surprise_trainset(ratings):
    """Return the training set that Surprise would make of a file; its inner ids are positions."""
    from surprise.trainset import Trainset

    by_user, by_item = {}, {}
    for user, item, value in zip(
        ratings.users.tolist(),
        ratings.user_indices.tolist(),
        ratings.user_values.tolist(),
        strict=True,
    ):
        by_user.setdefault(user, []).append((item, value))
        by_item.setdefault(item, []).append((user, value))
    return Trainset(
        by_user,
        by_item,
        ratings.n_users,
        ratings.n_items,
        ratings.n_ratings,
        (1, 5),
        dict(enumerate(range(ratings.n_users))),
        dict(enumerate(range(ratings.n_items))),
    )


def surprise_fit(trainset, algorithm):
    """Train one of Surprise's algorithms, such as SVD or SVDpp, with its defaults."""
    import surprise

    return getattr(surprise, algorithm)(random_state=0).fit(trainset)


def surprise_predict(model, test):
    """Return Surprise's predictions; it cuts them to the scale by itself."""
    pairs = zip(test.users.tolist(), test.user_indices.tolist(), strict=True)
    return np.array([model.predict(user, item).est for user, item in pairs])


def myfm_blocks(train, ratings, *, by_user=False, by_item=False):
    """Return the users and the items of ratings as myFM's relation blocks.

    As in its example ml-100k-regression.py: one column for each user and item; with `by_user` also
    the items that the user rated in training, over the root of their number, as in SVD++; with
    `by_item` the users who rated the item, the flipped form. Nothing of the test part is seen.
    """
    from myfm import RelationBlock
    from scipy.sparse import csr_array, csr_matrix, eye_array, hstack

    ones = np.ones(train.n_ratings)
    rated = csr_array((ones, (train.users, train.user_indices)), shape=train.shape)
    blocks = []
    for rows, seen, linked in (
        (ratings.users, rated, by_user),
        (ratings.user_indices, rated.T.tocsr(), by_item),
    ):
        features = eye_array(seen.shape[0], format="csr")
        if linked:
            counts = np.maximum(seen.sum(axis=1), 1)
            shares = seen.multiply(1 / np.sqrt(counts)[:, None])
            features = hstack([features, shares], format="csr")
        present, row_of = np.unique(rows, return_inverse=True)
        blocks.append(RelationBlock(row_of.tolist(), csr_matrix(features[present])))
    return blocks


def myfm_groups(train, *, by_user=False, by_item=False):
    """Return the sizes of the groups of columns of `myfm_blocks`, each with a prior of its own."""
    n_users, n_items = train.shape
    of_users = [n_users, n_items] if by_user else [n_users]
    return of_users + ([n_items, n_users] if by_item else [n_items])


def myfm_fit(blocks, values, *, rank, samples=None, groups=None):
    """Train myFM's regression by Gibbs sampling; without `samples` with its defaults.

    Otherwise all samples are kept, as its example for MovieLens 100K does.
    """
    from myfm import MyFMRegressor

    options = {} if samples is None else {"n_iter": samples, "n_kept_samples": samples}
    model = MyFMRegressor(rank=rank)
    with contextlib.redirect_stderr(io.StringIO()):  # its progress bar
        return model.fit(None, values, X_rel=blocks, group_shapes=groups, **options)


def blas_epoch(ratings, users, items, regularization):
    """Run an epoch of ALS by BLAS and LAPACK calls for each row: ssyrk, sgemv, sposv.

    Without biases, and with the loop in Python: with one factor it takes little more than that.
    """
    from scipy.linalg.blas import sgemv, ssyrk
    from scipy.linalg.lapack import sposv

    sides = (
        (ratings.user_indptr, ratings.user_indices, ratings.user_values, users, items),
        (ratings.item_indptr, ratings.item_indices, ratings.item_values, items, users),
    )
    for indptr, indices, values, own, other in sides:
        diagonal = np.arange(own.shape[1])
        for row in range(len(indptr) - 1):
            start, end = indptr[row], indptr[row + 1]
            if start == end:
                continue
            gathered = other[indices[start:end]].T  # columns are contiguous, as Fortran has them
            gram = ssyrk(1.0, gathered)
            gram[diagonal, diagonal] += regularization * (end - start)
            right = sgemv(1.0, gathered, values[start:end])
            own[row] = sposv(gram, right, overwrite_a=True, overwrite_b=True)[1]
