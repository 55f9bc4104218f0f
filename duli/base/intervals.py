"""Confidence intervals of measured shares."""

# 97.5 % quantile of the normal distribution: both sides together leave out 5 %
Z95 = 1.959963984540054
# Keys of what has a 95 % interval in a report: a share as `proportion` gives it, another number.
SHARE = ("value", "low", "high", "n")
RANGE = ("value", "low", "high")


def proportion(successes: int, n: int) -> dict[str, float]:
    """`successes / n` with its Wilson score interval at 95 % (Wilson 1927); without examples it is
    anything: 0..1.

    Unlike the normal approximation it stays inside 0..1 and has a width at 100 %.
    """
    if n == 0:
        return {"value": 0.0, "low": 0.0, "high": 1.0, "n": 0}
    share = successes / n
    centre = (share + Z95**2 / (2 * n)) / (1 + Z95**2 / n)
    half = Z95 / (1 + Z95**2 / n) * (share * (1 - share) / n + Z95**2 / (4 * n**2)) ** 0.5
    # At 0 and at 1 the bound is exact; rounding must not push it past the value.
    return {
        "value": share,
        "low": max(0.0, min(share, centre - half)),
        "high": min(1.0, max(share, centre + half)),
        "n": n,
    }
