"""The release's own command: predict, evaluate, serve, info, verify.

Exit codes: 0 fine, 2 the input is wrong, 3 the package is damaged or not the publisher's, 4 the
card's accuracy is not reproduced, 5 a process of the server has ended unasked, 6 some files of a
folder could not be read and were skipped.
"""

import argparse
import contextlib
import io
import json
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import kind, settings, task
from .errors import (
    CardError,
    InputError,
    IntegrityError,
    NoExampleError,
    ReleaseError,
    SkippedError,
    WorkerError,
)
from .integrity import CARD, MANIFEST, RELEASE, verify, vouch
from .settings import Settings

if TYPE_CHECKING:
    from socket import socket

    from .predictor import Predictor
    from .task import Answers

SERVE = (
    "Open Inference Protocol v2, POST /predict, MLflow's /invocations, Prometheus /metrics,"
    " OpenAPI, and a page at /. Nothing is loaded unless every file of this package is as released."
    " SIGTERM ends it once all it has taken is answered. Each option can stand in the environment"
    " too: DULI_PORT for --port."
)
FOLDER = Path(__file__).resolve().parent
MOST_SKIPPED = 20  # files that are named; of more, how many there are
INPUT_WRONG, PACKAGE_DAMAGED, CARD_WRONG, WORKER_ENDED, SKIPPED, INTERRUPTED = 2, 3, 4, 5, 6, 130
CODES = {
    IntegrityError: PACKAGE_DAMAGED,
    CardError: CARD_WRONG,
    WorkerError: WORKER_ENDED,
    SkippedError: SKIPPED,
}
CODES_SAID = (
    "exit codes: 0 fine; 2 the input is wrong; 3 the package is damaged or not the publisher's; 4"
    " the card's accuracy is not reproduced; 5 a process of the server has ended unasked; 6 some"
    " files of a folder could not be read and were skipped"
)


def main(arguments: list[str] | None = None) -> int:
    """Runs the command named in `arguments` (default: the command line); gives the exit code."""
    program = FOLDER.name.replace("_", "-")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a file name need not be valid text
    try:
        try:
            options = _parser(program, *_said()).parse_args(arguments)
            options.run(options)
        finally:
            print(end="", flush=True)
    except ReleaseError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return CODES.get(type(error), INPUT_WRONG)
    except OSError as error:
        if error.filename is not None:  # that of no standard stream
            print(
                f"{program}: {_shown(str(error.filename))} cannot be read ({error.strerror});"
                " correct the path, or make it readable",
                file=sys.stderr,
            )
            return INPUT_WRONG
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is still buffered has nowhere to go
        if isinstance(error, BrokenPipeError):  # the reader (`| head`) has what it wanted
            return 0
        print(
            f"{program}: the answers cannot be written ({error.strerror}); make room or write"
            " elsewhere",
            file=sys.stderr,
        )
        return INPUT_WRONG
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def _said() -> tuple[kind.Words, task.Command]:
    """The words for this release's kind of data and its task; its files are verified later, once a
    command needs them. Raises `IntegrityError` if the file that names them is damaged.
    """
    try:
        release = json.loads((FOLDER / RELEASE).read_bytes())
        return kind.words(release), task.command(release)
    except (OSError, ValueError, KeyError, TypeError, ImportError):
        verify(FOLDER)
        raise


def _parser(program: str, words: kind.Words, told: task.Command) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        program,
        description="A released model: ask it, read its card, verify its files.",
        epilog=CODES_SAID,
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    predicts = told.PREDICTS.format(things=words.things)
    predict = commands.add_parser("predict", help=predicts, epilog=CODES_SAID)
    predict.add_argument(
        "files", nargs="*" if words.spoken else "+", metavar="FILE", help=words.files
    )
    if words.spoken:
        predict.add_argument(
            f"--{words.thing}",
            action="append",
            dest="spoken",
            metavar=words.thing.upper(),
            help=f"a {words.thing} itself; repeatable",
        )
    predict.add_argument(
        "--json",
        action="store_true",
        help=told.JSON,
    )
    predict.add_argument(
        "--threads",
        type=settings.count,
        default=0,
        metavar="N",
        help="use at most N cores (default: all)",
    )
    told.options(predict)
    predict.set_defaults(run=_predict, spoken=[], keys=told.KEYS)
    evaluate = commands.add_parser(
        "evaluate",
        help=told.EVALUATES.format(things=words.things),
        epilog=CODES_SAID,
    )
    evaluate.add_argument("data", nargs="+", metavar="DATA", help=words.data)
    evaluate.add_argument(
        "--threads",
        type=settings.count,
        default=0,
        metavar="N",
        help="use at most N cores (default: all)",
    )
    evaluate.set_defaults(run=_evaluate)
    info = commands.add_parser("info", help="show the model card and its numbers")
    info.add_argument("--json", action="store_true", help="the numbers alone, as JSON")
    info.set_defaults(run=_info)
    serve = commands.add_parser(
        "serve", help="answer over HTTP, with a page to try the model", description=SERVE
    )
    usual = Settings()
    add = serve.add_argument
    add("--host", help=f"address to listen on (default: {usual.host}, this machine alone)")
    add("--port", type=settings.port, help=f"0 chooses a free one (default: {usual.port})")
    add(
        "--allow-host",
        action="append",
        metavar="NAME",
        help=(
            "also answer requests for this Host; repeatable; *.model.example is all below that one,"
            " * any (probes and /metrics answer to all)"
        ),
    )
    add("--workers", type=settings.count, metavar="N", help="processes, a core each (default: 1)")
    add(
        "--max-body",
        type=settings.size,
        metavar="BYTES",
        help=f"of a request (default: {usual.max_body})",
    )
    add(
        "--max-connections",
        type=settings.connections,
        metavar="N",
        help=f"at once, of a process; idle ones make room (default: {usual.max_connections})",
    )
    add(
        "--access-log",
        action="store_true",
        default=None,
        help="a line of JSON a request on standard output (default: no)",
    )
    serve.add_argument(
        "--statistics",
        type=Path if words.counted else partial(_not_counted, words.things),
        metavar="FILE",
        help=(
            f"count {words.counted} and answers there, keeping no {words.thing} (default: no)"
            if words.counted
            else argparse.SUPPRESS
        ),
    )
    _signed(serve)
    serve.set_defaults(run=_serve)
    check = commands.add_parser(
        "verify",
        help=(
            "compare every file of this package with its manifest, and the release with its"
            " signature"
        ),
    )
    _signed(check)
    check.set_defaults(run=_verify)
    return parser


def _signed(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--release",
        type=Path,
        metavar="FOLDER",
        help="the folder the wheel came in, with its signature",
    )
    parser.add_argument(
        "--key",
        type=Path,
        metavar="FILE",
        help="the publisher's public key, which you have by another way",
    )


def _predict(options: argparse.Namespace) -> None:
    verify(FOLDER)  # before any more of its code runs
    from .predictor import Predictor  # numpy and onnxruntime take longer to load than all else here

    predictor = Predictor(FOLDER, options.threads)
    words, task = predictor.kind.words, predictor.task
    thing, spoken = words.thing, options.spoken
    if not options.files and not spoken:
        raise InputError(f"name a FILE, - for standard input, or give --{thing} {thing.upper()}")
    sources: list[tuple[str, bool, Callable[[], Any]]] = (
        [(f"--{thing}", False, lambda: spoken)] if spoken else []
    )
    sources += [
        (name, inside, partial(predictor.kind.load, name))
        for name, inside in _named(options.files, words)
    ]
    width = max(len("file"), *(len(_shown(name)) for name, _, _ in sources))
    heading = "" if options.json else f"{'file':<{width}}  {thing:>6}  {task.heading()}\n"
    wish = task.opted(options)
    skipped: list[str] = []
    left_out = 0
    for name, inside, load in sources:
        try:
            answers = predictor.answers(predictor.kind.checked(load()))
        except InputError as error:
            said = f"{'standard input' if name == '-' else _shown(name)}: {error}"
            if not inside or len(skipped) + left_out + 1 == len(sources):
                raise InputError(said) from None
            if isinstance(error, NoExampleError):
                left_out += 1
            else:
                skipped.append(said)
            continue
        print(end=heading)
        heading = ""
        if options.json:
            for index, found in enumerate(task.objects(answers, wish)):
                shown = {key: found[key] for key in options.keys}
                print(json.dumps({"file": name, thing: index, **shown}))
        else:
            for index, line in enumerate(task.lines(answers, wish)):
                print(f"{_shown(name):<{width}}  {index:>6}  {line}")
    if left_out:
        print(
            f"{left_out:,} files that are no {words.things} were left out",
            file=sys.stderr,
        )
    _name(skipped)
    _end(skipped)


def _name(skipped: Sequence[str]) -> None:
    """Reports the files that could not be read, as "FILE: why"."""
    for said in skipped[:MOST_SKIPPED]:
        print(f"skipped {said}", file=sys.stderr)
    if skipped[MOST_SKIPPED:]:
        print(f"skipped {len(skipped) - MOST_SKIPPED:,} more", file=sys.stderr)


def _end(skipped: Sequence[str]) -> None:
    """Raises `SkippedError` where files could not be read."""
    if skipped:
        raise SkippedError(
            f"{len(skipped):,} files could not be read and were skipped; mend them, or take"
            " them out"
        )


def _info(options: argparse.Namespace) -> None:
    contents = verify(FOLDER)
    print(contents[RELEASE if options.json else CARD].decode("utf-8"), end="")


def _named(files: list[str], words: kind.Words) -> list[tuple[str, bool]]:
    """The files named, and in the place of a folder those in it; whether each is one of a
    folder.
    """
    from .sources import files_below

    names: list[tuple[str, bool]] = []
    for name in files:
        if name != "-" and Path(name).is_dir():
            found = [str(path) for path in files_below(Path(name))]
            if not found:
                raise InputError(
                    f"{_shown(name)}: is an empty folder; name one with {words.things} in it"
                )
            names += [(path, True) for path in found]
        else:
            names.append((name, False))
    return names


def _evaluate(options: argparse.Namespace) -> None:
    verify(FOLDER)
    from .predictor import Predictor

    predictor = Predictor(FOLDER, options.threads)
    words = predictor.kind.words
    data = predictor.kind.labelled(options.data, predictor.task)
    _name(data.skipped)
    for note in data.notes:
        print(note)
    if data.left_out:
        print(f"{data.left_out:,} files that are no {words.things} were left out")
    inputs = predictor.kind.checked(data.inputs)
    predictor.task.judge(
        predictor.answers(inputs),
        data,
        words,
        own=data.digest() == predictor.release["test_digest"],
        cause=partial(_cause, predictor, inputs),
    )
    _end(data.skipped)


def _cause(predictor: "Predictor", inputs: Any, changes: "Callable[[Answers], int]") -> str:
    """The reason why the answers differ from the card's, as far as this machine shows it: sums that
    overflow on this CPU, or rounding; and the fix. `changes` counts the differences to other
    answers.
    """
    import numpy
    import onnxruntime

    from .predictor import Predictor
    from .processor import cpu, named

    judged = predictor.release["numbers"]["evaluation"].get("judged_on")
    cpus = f"this CPU is {named(cpu())}" + (f", the card's was {named(judged)}" if judged else "")
    if changed := changes(Predictor(FOLDER, exact=True).answers(inputs)):
        return (
            f"it is saturation: added in 32 bits, {changed:,} of its answers are others, and this"
            f" CPU adds in 16, having no VNNI ({cpus}); use a CPU with VNNI, or ask the publisher"
            " for a release whose weights have 7 bits"
        )
    libraries = f"onnxruntime {onnxruntime.__version__} and numpy {numpy.__version__}"
    versions = (judged or {}).get("versions")
    theirs = (
        f"onnxruntime {versions['onnxruntime']} and numpy {versions['numpy']}"
        if versions
        else "those it was made with"
    )
    return (
        f"it is no saturation: other libraries or another CPU round otherwise ({cpus}); here are"
        f" {libraries}, install {theirs}"
    )


def _verify(options: argparse.Namespace) -> None:
    contents = verify(FOLDER)
    release = json.loads(contents[RELEASE])
    print(
        f"{release['name']} {release['version']}: all {len(contents)} files are as listed in"
        f" {FOLDER / MANIFEST}"
    )
    print(vouch(FOLDER, contents, options.release, options.key))


def _serve(options: argparse.Namespace) -> None:
    contents = verify(FOLDER)  # before any more of its code runs
    from . import metrics
    from .workers import Worker, address, listen, open_files, run

    chosen = settings.read(vars(options), os.environ)
    missing = [library for library in ("httptools", "orjson") if find_spec(library) is None]
    if missing:
        extra = f"{FOLDER.name.replace('_', '-')}[serve]"
        raise InputError(
            f"the server needs {missing[0]}, which an extra brings: pip install '{extra}'"
        )
    open_files(chosen.max_connections)
    vouched = vouch(FOLDER, contents, chosen.release, chosen.key)
    release = json.loads(contents[RELEASE])
    memories = metrics.forked(chosen.workers)

    def answer(worker: Worker) -> None:
        # not before the signature is known to hold
        predictor, counting = _loaded(options.statistics)
        if predictor.contents != contents:
            raise IntegrityError(
                "the package was changed while it was loaded; verify it, and start again"
            )
        from .server import serve

        with counting:
            serve(predictor, vouched, chosen, worker, memories[worker.number])

    def announce(listening: "socket") -> None:
        told = "(a page to try it; /openapi.json lists the rest)"
        place = f"{release['name']} {release['version']} answers at {address(listening)}"
        print(f"{place} {told}", flush=True)

    if chosen.workers > 1:
        if options.statistics:
            raise InputError(
                "--statistics counts in one process; leave it out, or give --workers 1"
            )
        run(chosen.host, chosen.port, chosen.workers, answer, announce)
        return
    listening = listen(chosen.host, chosen.port)
    answer(Worker(0, listening, partial(announce, listening), None))


def _loaded(counted: Path | None) -> "tuple[Predictor, contextlib.AbstractContextManager[None]]":
    """The model, and the statistics of its inputs, kept in the file `counted` while it serves."""
    from .predictor import Predictor

    if counted is None:
        return Predictor(FOLDER, threads=1), contextlib.nullcontext()
    predictor = kind.counting(json.loads((FOLDER / RELEASE).read_bytes()))(FOLDER, threads=1)
    return predictor, predictor.kept(counted)


def _not_counted(things: str, file: str) -> Path:
    """The error for `--statistics` in a release that counts nothing, clearer than an unknown
    option.
    """
    raise argparse.ArgumentTypeError(
        f"of {things} no statistics are kept, and nothing is written to {file}; leave it out, and"
        f" for drift give the {things} themselves to the line's data/incoming/"
    )


def _shown(name: str) -> str:
    """A file's name as it may go to a terminal: no control characters."""
    return name if name.isprintable() else ascii(name)


if __name__ == "__main__":
    sys.exit(main())
