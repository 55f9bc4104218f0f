"""Errors that state what was wrong, where, and what to do; any other exception is a bug in Duli.

DuliError (a ValueError: one line for the user, no traceback, exit code 2; 1 for a GateError)
├── ParamsError    params.yaml, or the command line
├── DataError      bytes, examples or tables that are not what they have to be
└── GateError      a release gate refused: the line stops here on purpose
"""

EXIT_HELD = 1
EXIT_USER_ERROR = 2
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells do
EXIT_BROKEN_PIPE = 141  # 128 + SIGPIPE


class DuliError(ValueError):
    """A mistake the user can mend; the message names the place and the fix."""


class ParamsError(DuliError):
    """A parameter is unknown, missing, of the wrong type or out of range."""


class DataError(DuliError):
    """Data is missing, damaged or contradicts what was declared."""


class GateError(DuliError):
    """A release gate refused; nothing after it may run."""
