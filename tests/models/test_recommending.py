"""Recommendations for many users, to new ones, and similar rows of many."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matfact import Ratings
from matfact.exceptions import UnknownIdError
from matfact.models import ALS
from matfact.recommendations import Recommendations
from models.cases import SMALL, dense_matrix, named_ratings

each_model = pytest.mark.parametrize("new", list(SMALL.values()), ids=list(SMALL))


@pytest.fixture(scope="module")
def ratings():
    return named_ratings()


@pytest.fixture(scope="module")
def model(ratings):
    return SMALL["ALS"]().fit(ratings)


def pairs_of(lists):
    return [(user, items.tolist(), scores.tolist()) for user, items, scores in lists]


@each_model
def test_many_users_get_what_each_gets_alone(new, ratings):
    model = new().fit(ratings)
    users = ["u09", "u00", "u09"]
    lists = model.recommend(users, n=4)
    assert isinstance(lists, Recommendations)
    assert len(lists) == 3
    for user, items, scores in lists:
        alone_items, alone_scores = model.recommend(user, n=4)
        assert items.tolist() == alone_items.tolist()
        assert scores.tobytes() == alone_scores.tobytes()
    everyone = model.recommend(n=2)
    assert everyone.users.tolist() == ratings.user_ids.ids.tolist()
    assert pairs_of(everyone)[9][1] == lists[0][1].tolist()[:2]


def test_lists_are_as_long_as_they_are(model, ratings):
    lists = model.recommend(n=1000)
    seen = np.diff(ratings.user_indptr)
    assert np.diff(lists.indptr).tolist() == (20 - seen).tolist()
    users, items, scores = lists.to_triples()
    assert len(users) == len(items) == len(scores) == (20 - seen).sum()
    assert model.item_ids_.ids_of(lists.item_positions).tolist() == items.tolist()
    frame = lists.to_frame(item="film")
    assert frame.columns.tolist() == ["user", "film", "score"]
    assert frame["film"].tolist() == items.tolist()
    assert repr(lists) == f"<Recommendations: 30 lists, {len(items)} entries>"
    assert [len(lists[place][1]) for place in (0, 1, -1)] == (20 - seen)[[0, 1, -1]].tolist()
    with pytest.raises(IndexError):
        lists[30]
    with pytest.raises(ValueError, match="read-only"):
        lists.scores[0] = 1


def test_filters_of_each_user(model):
    users = ["u01", "u02", "u03"]
    own = [["film 03", "film 01", "film 03"], [], np.array(["film 19"])]
    lists = model.recommend(users, exclude_seen=False, candidates=own)
    assert [sorted(items.tolist()) for _, items, _ in lists] == [
        ["film 01", "film 03"],
        [],
        ["film 19"],
    ]
    without = model.recommend(users, exclude_seen=False, candidates=own, exclude=["film 03"])
    assert [items.tolist() for _, items, _ in without] == [["film 01"], [], ["film 19"]]
    left = model.recommend(users, 99, exclude_seen=False, exclude=own)
    assert [len(items) for _, items, _ in left] == [18, 20, 19]
    assert "film 19" not in left[2][1]
    scores = dict(zip(*model.recommend("u01", 99, exclude_seen=False), strict=True))
    assert lists[0][2].tolist() == [scores[item] for item in lists[0][1]]
    with pytest.raises(ValueError, match="candidates has 2 lists for 3 users"):
        model.recommend(users, candidates=[["film 03"], ["film 01"]])
    with pytest.raises(UnknownIdError, match="exclude"):
        model.recommend(users, exclude=[["film 03"], [], ["nothing"]])


@settings(max_examples=60)
@given(data=st.data())
def test_any_filters_leave_the_best_of_what_is_allowed(model, ratings, data):
    films = st.lists(st.integers(0, 19), max_size=25)
    users = data.draw(st.lists(st.integers(0, 29), min_size=1, max_size=5))
    n = data.draw(st.integers(1, 25))
    exclude_seen = data.draw(st.booleans())
    each = st.lists(films, min_size=len(users), max_size=len(users))
    candidates, exclude = (data.draw(st.none() | films | each) for _ in range(2))

    def named(given):
        if given and isinstance(given[0], list):
            return [model.item_ids_.ids_of(one) for one in given]
        return None if given is None else model.item_ids_.ids_of(given)

    lists = model.recommend(
        model.user_ids_.ids_of(users),
        n,
        exclude_seen=exclude_seen,
        candidates=named(candidates),
        exclude=named(exclude),
    )
    for place, user in enumerate(users):
        allowed = set(range(20))
        for given_ids, keep in ((candidates, True), (exclude, False)):
            if given_ids is not None:
                own = (
                    given_ids[place] if given_ids and isinstance(given_ids[0], list) else given_ids
                )
                allowed = allowed & set(own) if keep else allowed - set(own)
        if exclude_seen:
            entries = slice(*ratings.user_indptr[user : user + 2])
            allowed -= set(ratings.user_indices[entries].tolist())
        every, _ = model.recommend(model.user_ids_.ids_of([user])[0], 20, exclude_seen=False)
        order = [i for i in model.item_ids_.positions(every).tolist() if i in allowed][:n]
        entries = slice(lists.indptr[place], lists.indptr[place + 1])
        assert lists.item_positions[entries].tolist() == order


@each_model
def test_blocks_are_together_the_whole(new, ratings):
    model = new().fit(ratings)
    own = [["film 03", "film 07", "film 11"]] * 30
    for filters in ({}, {"exclude_seen": False}, {"candidates": own}, {"exclude": own}):
        whole = model.recommend(n=3, **filters)
        blocks = list(model.iter_recommend(n=3, block_size=7, **filters))
        assert [len(block) for block in blocks] == [7, 7, 7, 7, 2]
        assert [pair for block in blocks for pair in pairs_of(block)] == pairs_of(whole)
    with pytest.raises(ValueError, match="block_size is 0"):
        model.iter_recommend(block_size=0)
    with pytest.raises(UnknownIdError, match="candidates"):  # at once, not with the first block
        model.iter_recommend(candidates=["nothing"])


@each_model
def test_new_users_get_lists_from_their_ratings(new, ratings):
    model = new().fit(ratings)
    before = model.user_factors_.copy()
    some = Ratings.from_triples(["zoe", "zoe", "bo"], ["film 01", "film 02", "film 19"], [5, 1, 4])
    lists = model.recommend_new(some, n=5)
    assert lists.users.tolist() == some.user_ids.ids.tolist() == ["bo", "zoe"]
    assert not {"film 01", "film 02"} & set(lists[1][1])
    factors = model.fold_in(some)
    filled = model.inverse_transform(factors) if not getattr(model, "clip", False) else None
    if filled is not None:
        expected = filled[1][lists.item_positions[lists.indptr[1] :]]
        np.testing.assert_allclose(lists[1][2], expected, rtol=1e-5, atol=1e-6)
    assert (model.user_factors_ == before).all()
    whole = model.recommend_new(some, n=99, exclude_seen=False)
    assert np.diff(whole.indptr).tolist() == [20, 20]


def test_rows_of_a_matrix_are_new_users():
    matrix = dense_matrix()
    model = SMALL["ALS"]().fit(matrix)
    lists = model.recommend_new(matrix[:3], n=99)
    assert lists.users.tolist() == [0, 1, 2]
    assert np.diff(lists.indptr).tolist() == np.isnan(matrix[:3]).sum(axis=1).tolist()


@each_model
@pytest.mark.parametrize("side", ["items", "users"])
def test_similar_rows_of_many(new, ratings, side):
    model = new().fit(ratings)
    similar, ids = getattr(model, f"similar_{side}"), getattr(model, f"{side[:-1]}_ids_").ids
    factors = getattr(model, f"{side[:-1]}_factors_").astype(float)
    lists = similar(ids[:4], n=3)
    for one, (own, items, cosines) in zip(ids[:4], lists, strict=True):
        assert own == one
        alone = similar(one, n=3)
        assert items.tolist() == alone[0].tolist()
        assert cosines.tobytes() == alone[1].tobytes()
    products = factors @ factors.T
    found, values = similar(ids[2], n=4, metric="inner")
    np.fill_diagonal(products, -np.inf)
    np.testing.assert_allclose(values, np.sort(products[2])[::-1][:4], rtol=1e-4, atol=1e-6)
    assert ids[2] not in found
    with pytest.raises(ValueError, match="metric is 'euclid'"):
        similar(ids[0], metric="euclid")


def test_a_row_of_zeros_is_like_nothing():
    matrix = dense_matrix()
    model = ALS(n_factors=2, random_state=0, max_iter=2).fit(matrix)
    model.item_factors_[3] = 0
    assert not model.similar_items(3)[1].any()


def test_shapes_of_ids(model):
    with pytest.raises(ValueError, match="users has 2 dimensions"):
        model.recommend(np.array([["u00", "u01"]]))
    assert len(model.recommend([])) == 0
    assert model.recommend([]).items.size == 0


def test_lists_of_each_user_take_ids_as_a_common_list_does():
    ids = np.empty(5, dtype=object)
    ids[:] = [1, "1", "b", ("a", 1), 2]
    model = ALS(n_factors=2, random_state=0).fit(
        Ratings.from_triples([0, 0, 0, 1, 2], ids, [1.0, 2.0, 3.0, 4.0, 5.0])
    )
    for wanted in ([1, "b"], ["1", 2], [("a", 1)]):
        common = model.recommend([0], 9, exclude_seen=False, candidates=wanted)
        each = model.recommend([0], 9, exclude_seen=False, candidates=[wanted])
        assert list(common.items) == list(each.items)
        assert set(each.items) == set(wanted)
        left = model.recommend([0], 9, exclude_seen=False, exclude=[wanted])
        assert set(left.items) == set(ids) - set(wanted)


def test_one_user_alone_gets_the_same_list(ratings):
    model = SMALL["ALS"]().fit(ratings)
    some = ["film 03", "film 07", "film 11"]
    for filters in (
        {},
        {"exclude_seen": False},
        {"candidates": some},
        {"candidates": some, "exclude": ["film 07"]},
        {"exclude": some},
    ):
        together = model.recommend(["u03", "u01"], 99, **filters)
        items, scores = model.recommend("u03", 99, **filters)
        assert items.tolist() == together[0][1].tolist()
        np.testing.assert_allclose(scores, together[0][2], rtol=1e-6)
