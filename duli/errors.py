"""The errors that tell a user what was wrong, where, and what to do; everything else is a defect of ours.

DuliError (a ValueError: one line for the user, no traceback, exit code 2; 1 for a GateError)
├── ParamsError    params.yaml, or the command line
├── DataError      bytes, examples or tables that are not what they have to be
└── GateError      a release gate refused: the line stops here on purpose
"""

import os
import sys
from collections.abc import Callable

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


def exit_code(program: str, action: Callable[[], object]) -> int:
    """Runs `action` as the work of `program`; a user's mistake is told in one line on stderr. Gives the exit code."""
    from duli import files  # which imports this module

    files.forget()
    try:
        action()
        sys.stdout.flush()  # here, where a closed pipe is no traceback
    except GateError as error:
        print(f"{program}: held: {error}", file=sys.stderr)
        return EXIT_HELD
    except DuliError as error:
        print(f"{program}: error: {error}", file=sys.stderr)
    except ModuleNotFoundError as error:
        if str(error.name).split(".")[0] in ("duli", "stages"):
            raise
        print(f"{program}: error: this Python lacks '{error.name}'; activate the venv (source .venv/bin/activate)", file=sys.stderr)
    except KeyboardInterrupt:
        print(f"{program}: interrupted; no file is left half-written", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # whoever read (`| head`) has what it wanted
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE
    except OSError as error:
        if error.filename is None:
            raise
        print(f"{program}: error: {error.filename}: {error.strerror}", file=sys.stderr)
    except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError) as error:
        told = files.disbelieved(error)
        if told is None:
            raise
        print(f"{program}: error: {told}", file=sys.stderr)
    else:
        return 0
    return EXIT_USER_ERROR
