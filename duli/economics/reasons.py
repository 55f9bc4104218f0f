"""Reasons for missing numbers, as codes that the reporting side puts into words."""

from typing import Literal, NamedTuple

Code = Literal[
    "always_loses",  # the plan's value is negative whatever the input is
    "always_pays",  # and never negative
    "customer_costs_more",  # a customer costs more than they pay
    "free_acquisition",
    "never_paid_back",  # within the horizon
    "no_churn",
    "no_effect",  # the input does not change the plan's value
    "no_range",  # no input has a range
    "no_revenue",
    "no_single_rate",  # the cash flow changes sign never, or more than once
    "no_slices",  # of the test split
    "no_sure_answer",  # no answer reaches the confidence threshold
    "not_finite",
    "not_finite_over_range",  # the plan's value over the range of the input
    "price_below_answer",  # below the cost that comes with each answer
    "price_below_customer",  # below the cost that comes with each customer
    "unknown_power",  # of the device that trained
]


class Reason(NamedTuple):
    """The reason why a number is missing."""

    code: Code
    input: str = ""  # the name of the input that the code is about
