"""What this package refuses to do, each with a message that says what was wrong and what to do.

ReleaseError (a ValueError)
├── InputError      the examples, a file or the command line: mend the input
├── IntegrityError  this package is not what was released: install it anew
├── CardError       this package does not do here what its card says
└── SkippedError    some files could not be read and were left out
"""


class ReleaseError(ValueError):
    """Something this package refuses; the message says what and how to mend it."""


class InputError(ReleaseError):
    """The examples are not what the model takes."""


class IntegrityError(ReleaseError):
    """A file of this package is changed, missing or not listed."""


class SkippedError(ReleaseError):
    """Files of a folder that could not be read; the others were."""


class CardError(ReleaseError):
    """A number on the card is not reproduced."""
