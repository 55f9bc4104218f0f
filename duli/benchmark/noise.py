"""Warnings about measurements that are less certain than they look."""

from collections.abc import Mapping

# of its time, that a thread runs where nobody else wants its core; the rest is what the system
# itself does
FULL_SHARE = 0.95


def sentences(
    spreads: Mapping[str, Mapping[str, float]],
    shares: Mapping[str, Mapping[str, float]],
    max_spread: float,
    *,
    load: float,
    cores: int,
) -> list[str]:
    """One sentence per measure whose rounds differ by more than `max_spread`, and one for a machine
    that others used too.

    `spreads` and `shares` give for each measure the spread of each contestant, and the part of the
    time in which its threads ran: others who take a core all the time make a measure wrong, not
    restless. What is no number counts as bad. `load` is the load average before the run.
    """
    warnings = []
    if not load <= cores:
        warnings.append(
            f"the machine was busy before the run: load average {load:.1f} on {cores} cores"
        )
    for measure, of_each in shares.items():
        if kept := {name: one for name, one in of_each.items() if not one >= FULL_SHARE}:
            warnings.append(
                f"{measure}: others used the cores too, its threads ran only part of the time"
                f" ({_each(kept)})"
            )
    for measure, of_each in spreads.items():
        if loud := {name: one for name, one in of_each.items() if not one <= max_spread}:
            warnings.append(
                f"{measure}: rounds spread by more than {max_spread:.0%} ({_each(loud)})"
            )
    return warnings


def _each(shares: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {one:.0%}" for name, one in shares.items())
