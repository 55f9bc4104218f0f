"""The release's own command: predict, info, verify. Exit codes: 0 fine, 2 the input is wrong, 3 the package is damaged."""

import argparse
import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from .errors import InputError, IntegrityError, ReleaseError
from .integrity import CARD, MANIFEST, RELEASE, verify

SERVE = (
    "Open Inference Protocol v2, POST /predict, MLflow's /invocations, Prometheus /metrics, OpenAPI, and a page at /. "
    "Nothing is loaded unless every file of this package is as released. SIGTERM ends it once all it has taken is answered."
)
FOLDER = Path(__file__).resolve().parent
DIGITS = 6  # decimal places of a probability
INPUT_WRONG, PACKAGE_DAMAGED, INTERRUPTED = 2, 3, 130


def main(arguments: list[str] | None = None) -> int:
    """Runs the command named in `arguments` (default: the command line); gives the exit code."""
    program = FOLDER.name.replace("_", "-")
    options = _parser(program).parse_args(arguments)
    command: Callable[[argparse.Namespace], None] = options.run
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a file name need not be valid text
    try:
        try:
            command(options)
        finally:
            print(end="", flush=True)
    except ReleaseError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return PACKAGE_DAMAGED if isinstance(error, IntegrityError) else INPUT_WRONG
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is still buffered has nowhere to go
        if isinstance(error, BrokenPipeError):  # the reader (`| head`) has what it wanted
            return 0
        print(f"{program}: the answers cannot be written ({error.strerror}); make room or write elsewhere", file=sys.stderr)
        return INPUT_WRONG
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def _parser(program: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(program, description="A released model: ask it, read its card, verify its files.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    predict = commands.add_parser("predict", help="say what the images of files show")
    predict.add_argument("files", nargs="+", metavar="FILE", help=".npy, IDX or PNG, each also as .gz; - for standard input")
    predict.add_argument("--json", action="store_true", help="one object a line, with the probabilities of all classes")
    predict.add_argument("--threads", type=_count, default=0, metavar="N", help="use at most N cores (default: all)")
    predict.set_defaults(run=_predict)
    info = commands.add_parser("info", help="show the model card and its numbers")
    info.add_argument("--json", action="store_true", help="the numbers alone, as JSON")
    info.set_defaults(run=_info)
    serve = commands.add_parser("serve", help="answer over HTTP, with a page to try the model", description=SERVE)
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s, this machine alone)")
    serve.add_argument("--port", type=_port, default=8080, help="0 chooses a free one (default: %(default)s)")
    serve.add_argument("--allow-host", action="append", default=[], metavar="NAME", help="also answer requests for this Host; repeatable")
    serve.add_argument("--workers", type=_count, default=1, metavar="N", help="calls of the model at once, a core each (default: 1)")
    serve.set_defaults(run=_serve)
    commands.add_parser("verify", help="compare every file of this package with its manifest").set_defaults(run=_verify)
    return parser


def _predict(options: argparse.Namespace) -> None:
    from .images import load  # numpy and onnxruntime take longer to load than all else here
    from .predictor import Predictor

    predictor = Predictor(FOLDER, options.threads)
    width = max(len("file"), *(len(_shown(name)) for name in options.files))
    heading = "" if options.json else f"{'file':<{width}}  {'image':>6}  {'answer':<10}  probability\n"
    for name in options.files:
        try:
            labels, probabilities = predictor.predict(load(name, predictor.shape))
        except InputError as error:
            raise InputError(f"{'standard input' if name == '-' else _shown(name)}: {error}") from None
        print(end=heading)
        heading = ""
        for index, (label, row) in enumerate(zip(labels, probabilities.tolist(), strict=True)):
            if options.json:
                by_class = {known: round(value, DIGITS) for known, value in zip(predictor.classes, row, strict=True)}
                print(json.dumps({"file": name, "image": index, "label": label, "probabilities": by_class}))
            else:
                print(f"{_shown(name):<{width}}  {index:>6}  {label:<10}  {max(row):.4f}")


def _info(options: argparse.Namespace) -> None:
    contents = verify(FOLDER)
    print(contents[RELEASE if options.json else CARD].decode("utf-8"), end="")


def _verify(_: argparse.Namespace) -> None:
    contents = verify(FOLDER)
    release = json.loads(contents[RELEASE])
    print(f"{release['name']} {release['version']}: all {len(contents)} files are as listed in {FOLDER / MANIFEST}")
    if release["signature"] is None:
        print("UNSIGNED: this finds damage, not forgery; compare the wheel's SHA-256 with the one its publisher gave you")
    else:  # it covers the wheel, so it cannot lie in it
        print(
            f"this finds damage, not forgery; the signature is the file {release['signature']['file']} beside the wheel, "
            f"`{FOLDER.name.replace('_', '-')} info` says how to check it"
        )


def _serve(options: argparse.Namespace) -> None:
    from .predictor import Predictor

    try:
        from .server import Options, serve
    except ModuleNotFoundError as error:
        raise InputError(
            f"the server needs {error.name}, which an extra brings: pip install '{FOLDER.name.replace('_', '-')}[serve]'"
        ) from None
    predictor = Predictor(FOLDER, threads=1)
    signature = predictor.release["signature"]
    vouched = f"signed beside the wheel ({signature['file']})" if signature else "UNSIGNED"
    serve(predictor, vouched, Options(options.host, options.port, tuple(options.allow_host), options.workers))


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; give 0 to 65535")
    return int(text)


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of cores; give 1 or more")
    return int(text)


def _shown(name: str) -> str:
    """A file's name as it may go to a terminal: no control characters."""
    return name if name.isprintable() else ascii(name)


if __name__ == "__main__":
    sys.exit(main())
