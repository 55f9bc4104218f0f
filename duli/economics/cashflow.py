"""Monthly cash from adoption and the three business models, and its value: NPV, IRR, payback,
lifetime value.

Every input may be one number or one a draw, [draws]; what is by month has the months first, [months
+ 1, draws] or [months + 1]. Amounts are USD and real, before taxes; month 0 is the build, sales
begin in month 1.
"""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from duli.economics import cost
from duli.economics.cost import HOURS_PER_MONTH, MILLION, SECONDS_PER_HOUR, Mode

MONTHS_PER_YEAR = 12
LEAST_RETURN = -0.999  # a year: below it all is lost, and a double no longer tells how fast
MOST_A_MONTH = 100.0

Floats = NDArray[np.float64]
Number = float | Floats


@dataclass(frozen=True)
class Venture:
    """The inputs of a plan's cash flow; the names are those of the assumption register."""

    price_per_hour: Number  # USD for one rented machine
    throughput: Number  # predictions a second of one machine, at full load
    utilisation: Number  # share of that throughput in use over a month
    instances: Number  # machines that are always on
    coverage: Number  # share of predictions that are sure enough to be accepted
    accuracy: Number  # share of the accepted that are right
    review: Number  # USD a person costs for one prediction
    error: Number  # USD one wrong accepted answer costs
    tickets: Number  # support tickets per million predictions
    ticket: Number  # USD of one ticket
    price: Number  # USD per million accepted answers, of the subscription
    licence: Number  # USD, once
    maintenance: Number  # share of the licence a year, from the month after the sale
    day_rate: Number  # USD that a day of services is sold for
    day_cost: Number  # USD that it costs
    days_first: Number  # days of services a client buys at the start
    days_per_month: Number  # and in each later month
    subscription: Number  # share of new accounts that subscribe
    one_time: Number  # that buy a licence
    services: Number  # that buy services
    accounts: Number  # that can be won at all (bottom-up SOM), the M of Bass
    account_volume: Number  # predictions an account asks for in a month
    innovation: Number  # Bass p, a year
    imitation: Number  # Bass q, a year
    churn: Number  # share of accounts lost in a year
    cac: Number  # USD to win one account
    team: Number  # USD a month, while building
    upkeep: Number  # share of that team kept after the launch
    build_months: Number
    training: Number  # USD, computing


@dataclass(frozen=True)
class Flows:
    """Monthly accounts of each kind, and revenue and cost by cause in USD; all [months
    + 1, ...].
    """

    won: Floats  # new accounts
    subscribers: Floats
    owners: Floats  # licences under maintenance
    clients: Floats  # of services
    subscription: Floats
    licences: Floats
    maintenance: Floats
    services: Floats
    machines: Floats
    review: Floats
    errors: Floats
    support: Floats
    delivery: Floats  # of services
    acquisition: Floats
    team: Floats
    build: Floats

    @property
    def revenue(self) -> Floats:
        """The revenue of all business models."""
        return self.subscription + self.licences + self.maintenance + self.services

    @property
    def cost_of_sales(self) -> Floats:
        """The cost of the units, licences and days that are sold, without acquisition and team."""
        return self.machines + self.review + self.errors + self.support + self.delivery

    @property
    def net(self) -> Floats:
        """Revenue less cost of each month."""
        return self.revenue - self.cost_of_sales - self.acquisition - self.team - self.build


def bass(accounts: Number, innovation: Number, imitation: Number, months: int) -> Floats:
    """New accounts a month, month 0 with none: Q = p (M - N) + q (N / M) (M - N), Bass 1969, with p
    and q a year spread over twelve months.

    Never more than are left, so the sum stays in [0, M].
    """
    p, q = np.divide(innovation, MONTHS_PER_YEAR), np.divide(imitation, MONTHS_PER_YEAR)
    total = np.asarray(accounts, float)
    shape = np.broadcast_shapes(total.shape, p.shape, q.shape)
    won = np.zeros((months + 1, *shape))
    share = np.zeros(shape)  # N / M, which is there even where M is 0
    for month in range(1, months + 1):
        grown = np.minimum((p + q * share) * (1 - share), 1 - share)
        won[month] = grown * total
        share = share + grown
    return won


def flows(venture: Venture, mode: Mode, months: int) -> Flows:
    """The cash of a plan by month."""
    shape = np.broadcast_shapes(
        *(np.shape(getattr(venture, field.name)) for field in fields(venture))
    )
    won = np.broadcast_to(
        bass(venture.accounts, venture.innovation, venture.imitation, months), (months + 1, *shape)
    )
    kept = 1 - monthly(venture.churn)
    subscribers, owners, clients = (
        _held(won * share, kept)
        for share in (venture.subscription, venture.one_time, venture.services)
    )
    new_clients = won * venture.services
    volume = subscribers * venture.account_volume
    accepted = volume * (venture.coverage if mode == "abstain" else 1.0)
    # Machines are always on once there is something to answer; who buys a licence brings his own.
    on = np.where(subscribers > 0, venture.instances, 0.0) * HOURS_PER_MONTH
    hours = np.maximum(on, volume / (venture.throughput * SECONDS_PER_HOUR * venture.utilisation))
    days = new_clients * venture.days_first + (clients - new_clients) * venture.days_per_month
    after, before = np.arange(months + 1) > 0, np.arange(months + 1) == 0
    column = (slice(None), *(None for _ in shape))
    return Flows(
        won=np.array(won),
        subscribers=subscribers,
        owners=owners,
        clients=clients,
        subscription=accepted * venture.price / MILLION,
        licences=won * venture.one_time * venture.licence,
        maintenance=(owners - won * venture.one_time)
        * venture.licence
        * venture.maintenance
        / MONTHS_PER_YEAR,
        services=days * venture.day_rate,
        machines=hours * venture.price_per_hour,
        review=(
            volume * cost.review(venture.coverage, venture.review) / MILLION
            if mode == "review"
            else np.zeros_like(volume)
        ),
        errors=volume * cost.errors(venture.coverage, venture.accuracy, venture.error) / MILLION,
        support=(subscribers + owners)
        * venture.account_volume
        * venture.tickets
        / MILLION
        * venture.ticket,
        delivery=days * venture.day_cost,
        acquisition=won * venture.cac,
        team=np.broadcast_to(
            after[column] * (venture.team * np.asarray(venture.upkeep)), won.shape
        ),
        build=np.broadcast_to(
            before[column] * (venture.team * np.asarray(venture.build_months) + venture.training),
            won.shape,
        ),
    )


def _held(new: Floats, kept: Number) -> Floats:
    """Accounts at the end of each month: those of the month before that stayed, and the new."""
    held = np.zeros_like(new)
    for month in range(1, len(new)):
        held[month] = held[month - 1] * kept + new[month]
    return held


def monthly(yearly: Number) -> Any:
    """The monthly share that loses `yearly` in twelve months: 1 - (1 - y)^(1/12)."""
    return 1 - (1 - np.asarray(yearly)) ** (1 / MONTHS_PER_YEAR)


def monthly_rate(yearly: float) -> float:
    """The monthly interest that makes `yearly` in twelve months: (1 + y)^(1/12) - 1."""
    return float((1 + yearly) ** (1 / MONTHS_PER_YEAR) - 1)


def npv(yearly: float, net: Floats) -> Floats:
    """Net present value of monthly flows [months + 1, ...]: sum of CF_t / (1 + r)^t, where t = 0 is
    the first.
    """
    worth = (1 + monthly_rate(yearly)) ** -np.arange(len(net), dtype=float)
    # Row by row, not by BLAS, whose order of summation follows the number of its threads.
    return np.asarray(np.sum(worth.reshape(-1, *(1 for _ in net.shape[1:])) * net, axis=0))


def irr(net: Floats) -> Floats:
    """The yearly interest at which flows [months + 1, ...] have an NPV of zero, [...]; nan if there
    is no such rate, or may be several.

    Money goes out first and comes back later with one change of sign: then there is exactly one
    rate above -100 % (Descartes). One below -99.9 %, or so high that money grows a hundredfold in a
    month, counts as none.
    """
    from scipy.optimize.elementwise import find_root

    columns = net.reshape(len(net), -1)
    rates = np.full(columns.shape[1], np.nan)
    chosen = np.flatnonzero(_invests(columns))
    if len(chosen):
        months = np.arange(len(net), dtype=float)

        def worth(rate: Floats, place: Floats) -> Floats:
            # Divided by the growth of the whole span where money shrinks, which keeps the powers
            # finite and moves no root.
            powers = np.where(rate >= 0, -months[:, None], len(net) - months[:, None])
            return np.asarray(np.sum(columns[:, place.astype(int)] * (1 + rate) ** powers, axis=0))

        found = find_root(
            worth,
            (np.full(len(chosen), monthly_rate(LEAST_RETURN)), np.full(len(chosen), MOST_A_MONTH)),
            args=(chosen.astype(float),),
        )
        rates[chosen] = np.where(found.success, (1 + found.x) ** MONTHS_PER_YEAR - 1, np.nan)
    return rates.reshape(net.shape[1:])


def _invests(columns: Floats) -> Any:
    """Whether each column of flows, [months + 1, n], is first negative, then positive, and changes
    sign once.
    """
    signs = np.sign(columns)
    for month in range(1, len(signs)):  # a month of nothing has the sign of the one before
        signs[month] = np.where(signs[month] == 0, signs[month - 1], signs[month])
    changes = np.count_nonzero((signs[1:] != signs[:-1]) & (signs[:-1] != 0), axis=0)
    return (changes == 1) & (signs[-1] > 0)


def payback(net: Floats) -> Floats:
    """The first month by whose end all spending is recovered, [...] of [months + 1, ...]; infinite
    if there is none.
    """
    paid = np.cumsum(net, axis=0) >= 0
    # The month after the last one in the red: a surplus that is lost again has paid nothing back.
    red = len(net) - np.argmax(~paid[::-1], axis=0)
    month = np.where(paid.all(axis=0), 0, red)
    return np.where(paid[-1], month, np.inf)


def lifetime_value(arpa: Number, margin: Number, churn: Number, rate: float = 0.0) -> Any:
    """The lifetime value of an account: ARPA * margin / churn, or discounted ARPA * margin * (1 +
    r) / (churn + r); all monthly.

    Endless, for better or worse, where nobody ever leaves and money has no price.
    """
    kept, leaving = np.broadcast_arrays(
        np.asarray(arpa * margin * (1 + rate), float), np.asarray(churn, float) + rate
    )
    endless = np.where(kept == 0, 0.0, np.copysign(np.inf, kept))
    return np.divide(kept, leaving, out=endless, where=leaving > 0)


def cac_payback(cac: Number, arpa: Number, margin: Number) -> Any:
    """Months of contribution that pay for winning an account: CAC / (ARPA * margin); infinite if
    there is no contribution.
    """
    contribution = np.asarray(arpa * margin, float)
    shape = np.broadcast_shapes(np.shape(cac), contribution.shape)
    return np.divide(cac, contribution, out=np.full(shape, np.inf), where=contribution > 0)


def contribution(venture: Venture, mode: Mode) -> tuple[Any, Any]:
    """Revenue of a subscriber a month (ARPA), and the share of it that is left after the costs that
    come with each answer.
    """
    accepted = venture.coverage if mode == "abstain" else 1.0
    arpa = venture.account_volume * accepted * venture.price / MILLION
    spent = cost.compute(venture.price_per_hour, venture.throughput, venture.utilisation)
    spent = (
        spent
        + cost.errors(venture.coverage, venture.accuracy, venture.error)
        + venture.tickets * venture.ticket
    )
    if mode == "review":
        spent = spent + cost.review(venture.coverage, venture.review)
    return arpa, (venture.price * accepted - spent) / (venture.price * accepted)
