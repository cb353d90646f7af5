"""Batches: every sample once an epoch, the last batch what is left; or drawn with replacement."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brickgrad.trainers.batches import Batches


def make(n_samples, batch_size, sampling="shuffle", seed=0):
    return Batches(n_samples, batch_size, np.random.default_rng(seed), sampling)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 60), st.integers(1, 80), st.integers(0, 2**32 - 1))
def test_batches_hold_every_sample_once_an_epoch_and_the_last_what_is_left(n_samples, batch_size, seed):
    batches = make(n_samples, batch_size, seed=seed)
    for _ in range(2):
        epoch = list(batches)
        sizes = [len(batch) for batch in epoch]
        full, left = divmod(n_samples, batch_size)
        assert sizes == [batch_size] * full + [left] * (left > 0)
        assert len(batches) == len(epoch)
        assert sorted(np.concatenate(epoch).tolist()) == list(range(n_samples))


def test_batches_come_in_another_order_each_epoch():
    batches = make(100, 10)
    first, second = np.concatenate(list(batches)), np.concatenate(list(batches))
    assert first.tolist() != list(range(100))
    assert first.tolist() != second.tolist()


@pytest.mark.parametrize("sampling", ["shuffle", "replacement"])
def test_batches_of_one_seed_are_the_same_and_of_another_are_not(sampling):
    def two_epochs(seed):
        batches = make(50, 7, sampling, seed)
        return [batch.tolist() for _ in range(2) for batch in batches]

    assert two_epochs(3) == two_epochs(3)
    assert two_epochs(3) != two_epochs(4)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 60), st.integers(1, 80))
def test_batches_with_replacement_are_as_many_of_full_size_from_all_samples(n_samples, batch_size):
    batches = make(n_samples, batch_size, "replacement")
    epoch = list(batches)
    assert len(epoch) == len(batches) == -(-n_samples // batch_size)
    assert {len(batch) for batch in epoch} == {min(batch_size, n_samples)}
    drawn = np.concatenate(epoch)
    assert drawn.min() >= 0
    assert drawn.max() < n_samples


def test_batches_with_replacement_draw_some_twice_and_each_as_often_in_the_long_run():
    batches = make(5, 5, "replacement")
    epochs = [next(iter(batches)).tolist() for _ in range(2000)]
    assert any(len(set(epoch)) < 5 for epoch in epochs)
    counts = np.bincount(np.concatenate(epochs), minlength=5)
    np.testing.assert_allclose(counts, 2000, atol=200)  # five standard deviations of a binomial count


def test_batches_touch_no_random_state_but_their_own():
    state = np.random.get_state()[1].tobytes()  # noqa: NPY002  # the state that must stay is the global one
    list(make(10, 3))
    list(make(10, 3, "replacement"))
    assert np.random.get_state()[1].tobytes() == state  # noqa: NPY002  # as above


@pytest.mark.parametrize(
    ("n_samples", "batch_size", "sampling", "text"),
    [
        (100, 10, "shuffle", "100 samples in 10 batches of 10"),
        (5, 2, "shuffle", "5 samples in 3 batches of 2, the last of 1"),
        (5, 5, "shuffle", "5 samples in 1 batch of 5"),
        (5, 100, "shuffle", "5 samples in 1 batch of 5"),
        (5, 2, "replacement", "5 samples in 3 batches of 2, drawn with replacement"),
    ],
)
def test_batches_text_says_how_the_samples_are_cut_up(n_samples, batch_size, sampling, text):
    assert str(make(n_samples, batch_size, sampling)) == text


@pytest.mark.parametrize(("sampling", "drawn"), [("shuffle", 5), ("replacement", 6)])
def test_batches_count_what_an_epoch_draws(sampling, drawn):
    batches = make(5, 2, sampling)
    assert batches.n_drawn == sum(len(batch) for batch in batches) == drawn


@pytest.mark.parametrize("n_samples", [0, -1])
def test_batches_of_no_samples_raise_value_error(n_samples):
    with pytest.raises(ValueError, match=rf"Batches: .*at least one sample; got {n_samples}"):
        make(n_samples, 5)


@pytest.mark.parametrize("batch_size", [0, -1, 2.0, "5", None, True])
def test_batches_of_a_size_that_is_none_raise_value_error_naming_it(batch_size):
    with pytest.raises(
        ValueError, match=rf"Batches: batch_size must be a whole number of at least 1; got {batch_size!r}"
    ):
        make(5, batch_size)


def test_batches_of_numpys_integer_size_work():
    assert len(make(5, np.int64(2))) == 3


@pytest.mark.parametrize("sampling", ["shuffled", "", None])
def test_batches_of_an_unknown_sampling_raise_value_error_naming_it(sampling):
    with pytest.raises(ValueError, match=rf"Batches: sampling must be 'shuffle' or 'replacement'; got {sampling!r}"):
        make(5, 2, sampling)
