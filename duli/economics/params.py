"""The `report` section: the plan that is priced, and which dated market facts price it."""

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from duli.base.params import Section

Share = Annotated[float, Field(ge=0, le=1)]
Id = Annotated[str, Field(min_length=1)]  # of a row of the market facts, or what its id starts with
Price = Annotated[float, Field(gt=0, le=1e15)]


class Mix(Section):
    """The shares of new customers by business model; they sum to one."""

    subscription: Share  # by the answer
    one_time: Share  # a licence, with maintenance
    services: Share  # days of work around the model

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        total = self.subscription + self.one_time + self.services
        if abs(total - 1) > 1e-9:
            raise ValueError(f"sums to {total:g}, and every customer buys in one way; make it 1")
        return self


class Report(Section):
    """The offer: what is sold, at which price and volume, on which rented machine, judged at which
    day.
    """

    market: Id  # folder of the market facts (*.csv), seen from this file
    as_of: date  # market facts are judged at this day, never at today's clock
    stale_days: Annotated[int, Field(ge=1)] = 180  # older facts are flagged
    currency: Literal["USD", "CNY"] = "USD"  # that the pages show; business.json stays in USD
    price_per_1000: Price  # USD for a thousand accepted answers
    licence: Price  # USD, once, for the model on the customer's own machines
    day_rate: Price  # USD for a day of services
    mix: Mix = Mix(subscription=0.6, one_time=0.2, services=0.2)
    # what happens to predictions that are not sure enough
    below_threshold: Literal["review", "abstain"]
    volume_per_month: Price  # predictions asked for, of the unit cost
    compute: Id  # the machine rented; the row `<id>.vcpu` says its size
    instances: Annotated[int, Field(ge=0, le=1_000_000)]  # machines that are always on
    # how full a machine is kept, so that peaks still fit
    utilisation: Annotated[float, Field(ge=0.001, le=1)]
    horizon_months: Annotated[int, Field(ge=1, le=240)] = 60  # of the cash flow, after the launch
    discount_rate: Annotated[float, Field(ge=0, le=1)] = 0.15  # a year, without inflation
    draws: Annotated[int, Field(ge=100, le=1_000_000)] = 10_000  # of the Monte Carlo simulation
    seed: Annotated[int, Field(ge=0)] = 0
    market_size: Id  # the published sizes to show, `<id>.<year>.by_<publisher>`
    carbon: Id = "carbon.usa"  # the row of the grid's carbon intensity, g per kWh
    # the row of its price, per kWh; shown, never added: the rent of the machine contains it
    electricity: Id = "electricity.us_commercial"
