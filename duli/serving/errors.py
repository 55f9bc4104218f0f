"""The errors of this package, each with a message that says what was wrong and what to do.

ReleaseError (a ValueError)
├── InputError      the examples, a file or the command line: mend the input
│   └── NoExampleError  a file that training leaves out too: it may lie beside examples
├── IntegrityError  this package is not what was released: install it anew
├── CardError       this package does not do here what its card says
├── SkippedError    some files could not be read and were left out
└── WorkerError     a process of the server has ended: see why, start it again
"""


class ReleaseError(ValueError):
    """An input or state that this package refuses; the message gives the reason and the fix."""


class InputError(ReleaseError):
    """Examples that the model cannot take."""


class NoExampleError(InputError):
    """A file is of another kind, and was never meant for the model."""


class IntegrityError(ReleaseError):
    """A file of this package is changed, missing or not listed."""


class SkippedError(ReleaseError):
    """Files of a folder that could not be read; the others were."""


class CardError(ReleaseError):
    """A number on the card is not reproduced."""


class WorkerError(ReleaseError):
    """A process of the server has ended unasked."""
