"""Queues: numbers come back in their order, are done with in their order, and an error keeps nobody waiting."""

import threading
import time

import pytest

import brickgrad as bg
from brickgrad.nets.queues import InOrder, run_queue, run_waves


@pytest.fixture(autouse=True)
def three_threads(monkeypatch):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    bg.set_num_threads(3)
    yield
    bg.set_num_threads(None)


def worker(taken=None):
    def square(number):
        time.sleep(0.001 * (number % 3))
        if taken is not None:
            taken.append(number)
        return number * number

    return square


def in_time(act):
    """What `act` gives; an error where it waits for what never comes."""
    found = []

    def run():
        try:
            found.append((act(), None))
        except BaseException as error:
            found.append((None, error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(20)
    assert found, "still waiting"
    result, error = found[0]
    if error is not None:
        raise error
    return result


def test_each_number_is_taken_once_and_results_come_back_in_their_order():
    taken, done = [[], [], []], []
    found = in_time(
        lambda: run_queue(20, [worker(mine) for mine in taken], then=lambda number, square: done.append(number))
    )
    assert found == [number * number for number in range(20)]
    assert done == list(range(20))
    assert sorted(number for mine in taken for number in mine) == list(range(20))
    assert all(mine == sorted(mine) for mine in taken)


@pytest.mark.parametrize("kind", [ValueError, SystemExit])
@pytest.mark.parametrize("bad", [0, 3, 9])
def test_an_error_of_a_worker_ends_the_queue_and_nothing_after_it_is_done(bad, kind):
    done = []

    def failing(number):
        time.sleep(0.002 * (number == bad))
        if number == bad:  # those behind it wait for their turn
            raise kind(str(number))
        return number

    def then(number, result):
        done.append(number)

    with pytest.raises(kind) as error:
        in_time(lambda: run_queue(10, [failing] * 3, then=then))
    if kind is ValueError:
        assert str(error.value) == str(bad)
    assert done == list(range(len(done)))
    assert len(done) <= bad


def test_an_error_of_what_is_done_with_a_result_is_raised():
    def then(number, result):
        if number == 4:
            raise ValueError("four")

    with pytest.raises(ValueError, match="four"):
        in_time(lambda: run_queue(10, [worker()] * 3, then=then))


def test_in_waves_a_number_goes_to_the_worker_of_its_place():
    taken = [], [], []
    assert in_time(lambda: run_waves(8, [worker(mine) for mine in taken])) == [number * number for number in range(8)]
    assert taken == ([0, 3, 6], [1, 4, 7], [2, 5])


def test_what_is_done_in_order_is_done_in_order_until_somebody_gives_up():
    done, in_order = [], InOrder()

    def start(number):
        thread = threading.Thread(target=in_order.do, args=(number, lambda: done.append(number)), daemon=True)
        thread.start()
        return thread

    others = [start(number) for number in (3, 2, 1, 5)]
    others.append(start(0))
    for other in (*others[:3], others[4]):
        other.join(20)
    assert done == [0, 1, 2, 3]
    in_order.give_up()
    for other in (others[3], start(4)):
        other.join(20)
        assert not other.is_alive()
    assert done == [0, 1, 2, 3]
