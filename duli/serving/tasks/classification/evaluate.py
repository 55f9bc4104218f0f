"""Compares the accuracy on labelled examples with the card's."""

from collections.abc import Callable, Mapping
from typing import Any

from ...errors import CardError
from .accord import difference


def judge(
    here: tuple[int, int],
    card: Mapping[str, Any],
    things: str,
    *,
    own: bool,
    cause: Callable[[], str],
) -> None:
    """Prints the accuracy of `here`, right of n, beside that on the `card`.

    `own`: the examples are the card's; `cause` says why the answers to them are others. Raises
    `CardError` where the card is not reproduced.
    """
    right, n = here
    promised = round(card["value"] * card["n"])
    print(f"{right:,} of {n:,} right: {right / n:.2%}")
    print(
        f"the card says {promised:,} of {card['n']:,}: {card['value']:.2%} (95 % interval"
        f" {card['low']:.2%} to {card['high']:.2%})"
    )
    if not own:
        said = f"these are other {things} than the card's, or in another order"
        _compare(said, here, (promised, card["n"]))
    elif here != (promised, card["n"]):
        raise CardError(
            f"these are the card's own test {things}, but the answers are others; {cause()}"
        )
    else:
        print(f"these are the card's own test {things}: it MATCHES")


def _compare(said: str, here: tuple[int, int], card: tuple[int, int]) -> None:
    """Compares a share, right of n, with the card's, which was counted on others; raises
    `CardError` if it is worse.
    """
    low, high = (100 * bound for bound in difference(*here, *card))
    if high < 0:
        raise CardError(
            f"{said}, and worse than the card by {-high:.2f} to {-low:.2f} points (95 % interval, n"
            f" = {here[1]:,}); see whether they are like those that the card names, and labelled"
            " alike"
        )
    if low > 0:
        print(
            f"{said}: better than the card by {low:.2f} to {high:.2f} points (95 % interval, n ="
            f" {here[1]:,})"
        )
    else:
        print(
            f"{said}: consistent with the card; the difference is {low:+.2f} to {high:+.2f} points"
            f" (95 % interval, n = {here[1]:,})"
        )
