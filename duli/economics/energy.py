"""Energy and carbon of computing, as Green Algorithms estimates them (Lannelongue, Grealey and
Inouye 2021); no meter is read.

Rented compute already contains its energy: what it costs is shown beside the price of the machine
and never added to it.
"""

WATTS_PER_KW = 1000
SECONDS_PER_HOUR = 3600


def kilowatt_hours(
    seconds: float,
    cores: float,
    watts_per_core: float,
    usage: float,
    gib: float,
    watts_per_gib: float,
    pue: float,
) -> float:
    """runtime * (P_cores * usage + P_memory) * PUE, where usage is the share of the cores' power
    that is drawn.
    """
    watts = cores * watts_per_core * usage + gib * watts_per_gib
    return seconds / SECONDS_PER_HOUR * watts * pue / WATTS_PER_KW
