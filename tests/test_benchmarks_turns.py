"""The benchmarks' turns: who runs when, and which runs count."""

import importlib.util
from pathlib import Path

import pytest

PATH = Path(__file__).resolve().parent.parent / "benchmarks" / "turns.py"


@pytest.fixture
def turns():
    spec = importlib.util.spec_from_file_location("benchmarks_turns", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("warm_up", [True, False])
def test_turns_rest_before_each_library_and_count_its_last_run_from_the_second_round_on(turns, monkeypatch, warm_up):
    clock, seen = [0.0], []

    class Time:
        @staticmethod
        def sleep(seconds):
            assert seconds > 0.1  # longer than the last library's threads go on
            seen.append("rest")

        @staticmethod
        def perf_counter():
            return clock[0]

    def library(name, *seconds):
        lasts = iter(seconds)

        def run():
            seen.append(name)
            clock[0] += next(lasts)

        return run

    monkeypatch.setattr(turns, "time", Time)
    runs = (9, 8, 7, 2, 6, 4) if warm_up else (9, 2, 4)
    taken = turns.in_turn({"a": library("a", *runs), "b": library("b", *[1] * 6)}, 2, warm_up)
    assert taken == {"a": [2000, 4000], "b": [1000, 1000]}
    one = ["rest", "a", "a", "rest", "b", "b"] if warm_up else ["rest", "a", "rest", "b"]
    assert seen == one * 3
