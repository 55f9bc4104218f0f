"""The `report` section: the plan that is priced, and which dated market facts price it."""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from duli.params import Section


class Report(Section):
    """What is sold, at which price and volume, on which rented machine, judged at which day."""

    market: Annotated[str, Field(min_length=1)]  # folder of the market facts (*.csv), seen from this file
    as_of: date  # market facts are judged at this day, never at today's clock
    stale_days: Annotated[int, Field(ge=1)]  # older facts are flagged
    price_per_1000: Annotated[float, Field(gt=0)]  # USD for a thousand accepted answers
    below_threshold: Literal["review", "abstain"]  # what happens to predictions that are not sure enough
    volume_per_month: Annotated[float, Field(gt=0)]  # predictions asked for
    compute: Annotated[str, Field(min_length=1)]  # id of the machine rented; the row `<id>.vcpu` says its size
    instances: Annotated[int, Field(ge=0)]  # machines that are always on
    utilisation: Annotated[float, Field(gt=0, le=1)]  # how full a machine is kept, so that peaks still fit
