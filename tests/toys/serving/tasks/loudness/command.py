"""What the command says of loudness, and its options: none."""

import argparse

PREDICTS = "say how loud the {things} of files are"
EVALUATES = "measure the mean absolute error on labelled {things} and compare it with the card's"
JSON = "one object a line, with the loudness"
KEYS = ("loudness",)


def options(parser: argparse.ArgumentParser) -> None:
    """None."""
