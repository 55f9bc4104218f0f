"""The `duli` command: everything around `dvc repro`, run in the folder of a release line."""

import argparse
import signal
import sys
from typing import Any

from duli.base.outcome import exit_code
from duli.cli import keys, line, new, plan, portfolio, promotion, proposal, releases, retrain

COMMANDS = {
    "new": new.new,
    "check": line.check,
    "plan": plan.plan,
    "gates": line.gates,
    "show": line.show,
    "report": line.report,
    "track": releases.track,
    "releases": releases.releases,
    "portfolio": portfolio.portfolio,
    "retrain": retrain.retrain,
    "propose": proposal.propose,
    "promote": promotion.promote,
    "rollback": promotion.rollback,
    "ui": releases.ui,
    "keygen": keys.keygen,
}
# Command -> argument -> what argparse is told of it; everything else takes none.
OPTIONS: dict[str, dict[str, dict[str, Any]]] = {
    "new": new.OPTIONS,
    "gates": line.GATES_OPTIONS,
    "plan": plan.OPTIONS,
    "retrain": retrain.OPTIONS,
    "promote": promotion.PROMOTE_OPTIONS,
    "keygen": keys.OPTIONS,
}


def main() -> None:
    """Entry point of the console script."""
    # as Ctrl-C: temporary folders are removed
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    parser = argparse.ArgumentParser(
        prog="duli",
        description=__doc__,
        epilog="Run it where the params.yaml of the release line is.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, action in COMMANDS.items():
        purpose = str(action.__doc__).split("\n", 1)[0].rstrip(".")
        command = commands.add_parser(
            name, help=purpose[0].lower() + purpose[1:], description=str(action.__doc__)
        )
        for argument, option in OPTIONS.get(name, {}).items():
            command.add_argument(argument, **option)
        command.set_defaults(action=action)
    arguments = vars(parser.parse_args())
    action = arguments.pop("action")
    del arguments["command"]
    sys.exit(exit_code("duli", lambda: action(**arguments)))
