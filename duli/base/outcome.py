"""Turns the outcome of a program into an exit code and, on failure, one line for the user."""

import os
import sys
from collections.abc import Callable

from duli.base import files
from duli.base.errors import (
    EXIT_BROKEN_PIPE,
    EXIT_HELD,
    EXIT_INTERRUPTED,
    EXIT_USER_ERROR,
    DuliError,
    GateError,
)


def exit_code(program: str, action: Callable[[], object]) -> int:
    """Runs `action` as the work of `program`, prints a user's mistake as one line on stderr, and
    returns the exit code.
    """
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
        print(
            f"{program}: error: this Python lacks '{error.name}'; activate the venv (source"
            " .venv/bin/activate)",
            file=sys.stderr,
        )
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
