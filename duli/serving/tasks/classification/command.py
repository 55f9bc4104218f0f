"""The words and options of the command for classification."""

import argparse

PREDICTS = "say which class the {things} of files belong to"
EVALUATES = "measure the accuracy on labelled {things} and compare it with the card's"
JSON = "one object a line, with the probabilities of all classes"
KEYS = ("label", "probabilities")


def options(parser: argparse.ArgumentParser) -> None:
    """Adds those of `predict`."""
    parser.add_argument(
        "--abstain",
        action="store_true",
        help="no answer where the model is less sure than the release's threshold",
    )
