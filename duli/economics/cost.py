"""Unit economics: the cost of a million accepted answers, and the volume and price at which they
pay.

All amounts are USD per million accepted answers unless a name says otherwise. The formulas are the
usual ones of unit economics; where a source is named, it is the one that publishes the formula or
its golden values.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Literal

from duli.base.errors import DataError

MILLION = 1e6
SECONDS_PER_HOUR = 3600
HOURS_PER_MONTH = 365 * 24 / 12

Mode = Literal["review", "abstain"]
Amount = Any  # one number, or an array of them with one a draw


@dataclass(frozen=True)
class Inputs:
    """The inputs of the unit cost; the names are those of the assumption register."""

    price_per_hour: float  # USD for one rented machine
    throughput: float  # predictions a second of one machine, at full load
    utilisation: float  # share of that throughput in use over a month
    instances: float  # machines that are always on
    volume: float  # predictions asked for in a month
    coverage: float  # share of predictions that are sure enough to be accepted
    accuracy: float  # share of the accepted that are right
    review: float  # USD a person costs for one prediction
    error: float  # USD one wrong accepted answer costs
    tickets: float  # support tickets per million predictions
    ticket: float  # USD of one ticket


@dataclass(frozen=True)
class UnitCost:
    """USD per million accepted answers, by cause."""

    compute: float
    idle: float
    review: float
    errors: float
    support: float

    @property
    def total(self) -> float:
        """The sum of all parts."""
        return self.compute + self.idle + self.review + self.errors + self.support


def compute(price_per_hour: Amount, throughput: Amount, utilisation: Amount) -> Amount:
    """USD of machine time per million predictions: price_per_h / (throughput * 3600 * utilisation)
    * 1e6.

    The same formula gives USD per million tokens where `throughput` is tokens a second (10 USD/h at
    1,000 tokens/s and full use = 2.7778, the figure GPU renters publish).
    """
    return price_per_hour / (throughput * SECONDS_PER_HOUR * utilisation) * MILLION


def idle(
    price_per_hour: float, throughput: float, utilisation: float, instances: float, volume: float
) -> float:
    """USD per million predictions for machines that are on although the volume does not need them.

    `compute` pays the hours the volume needs; a service that answers at any time pays at least
    `instances` machines all month. The difference is idle capacity, so that compute + idle is
    exactly the bill.
    """
    needed = volume / (throughput * SECONDS_PER_HOUR * utilisation)
    return max(instances * HOURS_PER_MONTH - needed, 0.0) * price_per_hour / volume * MILLION


def review(coverage: Amount, per_item: Amount) -> Amount:
    """USD per million predictions for people who decide the unsure ones: (1 - coverage) * cost *
    1e6.
    """
    return (1 - coverage) * per_item * MILLION


def errors(coverage: Amount, accuracy: Amount, per_item: Amount) -> Amount:
    """USD per million predictions for accepted answers that are wrong: coverage * (1 -
    accuracy_of_accepted) * cost * 1e6.
    """
    return coverage * (1 - accuracy) * per_item * MILLION


def unit_cost(inputs: Inputs, mode: Mode) -> UnitCost:
    """The cost of a million accepted answers.

    `review`: people finish what the model does not, so a million predictions are a million accepted
    answers. `abstain`: nobody does, and nobody pays for what was not answered, so every part is
    divided by the coverage. Never both. Raises `DataError` if nothing is accepted.
    """
    if mode == "abstain" and inputs.coverage <= 0:
        raise DataError(
            "no prediction is accepted, so an accepted one has no cost; lower the confidence"
            " threshold, or review"
        )
    accepted = _accepted(inputs, mode)
    machine = (inputs.price_per_hour, inputs.throughput, inputs.utilisation)
    return UnitCost(
        compute=compute(*machine) / accepted,
        idle=idle(*machine, inputs.instances, inputs.volume) / accepted,
        review=review(inputs.coverage, inputs.review) if mode == "review" else 0.0,
        errors=errors(inputs.coverage, inputs.accuracy, inputs.error) / accepted,
        support=inputs.tickets * inputs.ticket / accepted,
    )


def language_model(tokens_in: float, tokens_out: float, price_in: float, price_out: float) -> float:
    """USD per million answers of a language model that is paid by the token; prices are USD per
    million tokens.

    A million answers take a million times the tokens of one, so the millions cancel. For a model on
    a machine of one's own the price of a token is `compute` with tokens a second as its throughput.
    """
    return tokens_in * price_in + tokens_out * price_out


def gross_margin(price: float, cost: float) -> float:
    """(price - cost) / price."""
    return (price - cost) / price


def break_even_volume(fixed: float, price: float, variable: float) -> float | None:
    """Units from which `fixed` is paid: fixed / (price - variable); None if the price does not
    cover the variable cost.
    """
    return fixed / (price - variable) if price > variable else None


def break_even_answers(
    inputs: Inputs, mode: Mode, price: float, fixed: float = 0.0
) -> float | None:
    """Accepted answers a month from which revenue pays the always-on machines, all variable costs
    and `fixed` USD a month.

    Up to the capacity of the always-on machines compute is a fixed cost, beyond it a variable one;
    the two cases meet there, so the answer is exact. None if no volume pays. `price` is USD per
    million accepted answers.
    """
    cost = unit_cost(inputs, mode)
    variable = cost.review + cost.errors + cost.support
    hours = inputs.instances * HOURS_PER_MONTH
    capacity = (
        hours * SECONDS_PER_HOUR * inputs.throughput * inputs.utilisation * _accepted(inputs, mode)
    )
    within = break_even_volume(
        fixed + hours * inputs.price_per_hour, price / MILLION, variable / MILLION
    )
    if within is not None and within <= capacity:
        return within
    return break_even_volume(fixed, price / MILLION, (variable + cost.compute) / MILLION)


def break_even_price(inputs: Inputs, mode: Mode, fixed: float = 0.0) -> float:
    """USD per million accepted answers that pay all costs and `fixed` USD a month at the planned
    volume.
    """
    return (
        unit_cost(inputs, mode).total + fixed / (inputs.volume * _accepted(inputs, mode)) * MILLION
    )


def bounds(
    measure: Callable[[Inputs], float], inputs: Inputs, ranges: Mapping[str, tuple[float, float]]
) -> tuple[float, float]:
    """The least and greatest value of `measure` while every input named in `ranges` goes from its
    low to its high.

    Exact, for measures that are monotonic in each input (all of this module are): then both stand
    at corners of the box. The ends are the best and the worst of everything at once, no
    probability.
    """
    corners = [
        measure(replace(inputs, **dict(zip(ranges, ends, strict=True))))
        for ends in product(*ranges.values())
    ]
    return min(corners), max(corners)


def swings(
    measure: Callable[[Inputs], float], inputs: Inputs, ranges: Mapping[str, tuple[float, float]]
) -> dict[str, tuple[float, float]]:
    """`measure` with one input at its low and at its high, the others as they are; the input that
    moves it most first.
    """
    moved = {
        name: (measure(replace(inputs, **{name: low})), measure(replace(inputs, **{name: high})))
        for name, (low, high) in ranges.items()
    }
    return dict(sorted(moved.items(), key=lambda item: (-abs(item[1][1] - item[1][0]), item[0])))


def _accepted(inputs: Inputs, mode: Mode) -> float:
    """Accepted answers for one prediction."""
    return inputs.coverage if mode == "abstain" else 1.0
