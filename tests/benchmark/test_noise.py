"""A restless or busy machine is told, a quiet one is not."""

import math

from duli.benchmark.noise import sentences

QUIET = {"one thread": {"fp32": 0.02, "int8": 0.03}}
OWN = {"one thread": {"fp32": 0.99, "int8": 1.0}}


def test_a_quiet_run_says_nothing() -> None:
    assert sentences(QUIET, OWN, 0.1, load=1.9, cores=2) == []


def test_a_spread_over_the_bound_is_told_with_who_has_it() -> None:
    (told,) = sentences(
        {**QUIET, "the whole machine": {"fp32": 0.01, "int8": 0.234}}, OWN, 0.1, load=0, cores=2
    )
    assert told == "the whole machine: rounds spread by more than 10% (int8 23%)"


def test_what_is_no_number_counts_as_noise() -> None:
    assert (
        len(
            sentences(
                {"one thread": {"int8": math.nan}},
                {"one thread": {"int8": math.nan}},
                0.1,
                load=math.nan,
                cores=2,
            )
        )
        == 3
    )


def test_a_machine_that_was_busy_before_is_told() -> None:
    (told,) = sentences(QUIET, OWN, 0.1, load=2.4, cores=2)
    assert told == "the machine was busy before the run: load average 2.4 on 2 cores"


def test_a_core_taken_all_the_time_is_told_though_nothing_spreads() -> None:
    (told,) = sentences(
        QUIET, {**OWN, "the whole machine": {"fp32": 0.53, "int8": 0.99}}, 0.1, load=1, cores=2
    )
    assert (
        told
        == "the whole machine: others used the cores too, its threads ran only part of the time"
        " (fp32 53%)"
    )
