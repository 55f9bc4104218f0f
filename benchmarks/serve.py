"""Measures the server of the default line's wheel: against other servers, and against clients that
mean it no good.

    make bench-serve                        all of it, about 15 minutes; writes
    benchmarks/results/serve.json python -m benchmarks.serve PART ...     some of it (speed,
    overload, workers, fuzz ...); the rest of the file stays

Needs `dvc repro package`, and for the load wrk (`apt-get install wrk`). Servers and load share this
machine on loopback, take turns within one run, and a ratio is of one round.
"""

import http.client
import json
import os
import random
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.record import Results, result, run_parts
from duli.base import files
from duli.serving.errors import IntegrityError
from duli.serving.integrity import verify
from duli.serving.settings import Settings
from harness import adversary
from harness.requests import mutated, once, request, schemathesis

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "data/raw/t10k-images-idx3-ubyte"
CLIENTS, ROUNDS, SECONDS = 16, 7, 2  # of each contestant in a round
PRESSING, BATCH = 64, 256  # clients and examples a request of an overload
PRESS_SECONDS, DEADLINE = 5.0, 10.0  # that clients ask; after which an answer is worth nothing
FUZZED, SLOW, STOPS = 50_000, 200, 100
MEGABYTE = 2**20
OTHERS = 200  # clients that ask while others are idle
JSON, BINARY = "/invocations", "/v2/models/digits/infer"
# seconds a part may take; what was done by then counts, and is said
LIMITS = {"fuzz": 600.0, "stop": 600.0, "bytes": 300.0}


def main() -> None:
    needed = {"speed", "slow"} & set(sys.argv[1:] or PARTS)
    if needed and not shutil.which("wrk"):
        sys.exit("the load comes from wrk, which is not on PATH: apt-get install wrk")
    run_parts(
        "serve",
        PARTS,
        str(__doc__),
        "onnxruntime",
        "numpy",
        "httptools",
        "uvloop",
        "mlflow",
        "fastapi",
        "uvicorn",
        "litserve",
    )


class Load(NamedTuple):
    """What a contestant did in a round."""

    rps: float
    p50_ms: float
    p99_ms: float


def speed() -> Results:
    """Requests a second and their 99th percentile at 16 clients: ours, its rivals, and our own
    protocol answering a constant.
    """
    with tempfile.TemporaryDirectory(prefix="duli-serve-") as place, ExitStack() as stack:
        folder = Path(place)
        package = _unpacked(folder)
        scripts = {
            "json": _script(folder / "json.lua", *_json_body()),
            "binary": _script(folder / "binary.lua", *_binary_body()),
        }
        ours = stack.enter_context(_ours(package))
        model = package / "model.onnx"  # the same file for all
        of_mlflow = _mlflow_model(folder, model)
        ports = {
            "mlflow": stack.enter_context(
                _started(
                    "mlflow",
                    "models",
                    "serve",
                    "-m",
                    str(of_mlflow),
                    "--env-manager",
                    "local",
                    "-p",
                    "{port}",
                )
            ),
            "fastapi": stack.enter_context(
                _started(
                    sys.executable, "-m", "benchmarks.reference.serve_fastapi", str(model), "{port}"
                )
            ),
            "litserve": stack.enter_context(
                _started(
                    sys.executable,
                    "-m",
                    "benchmarks.reference.serve_litserve",
                    str(model),
                    "{port}",
                )
            ),
            "constant": stack.enter_context(
                _started(sys.executable, "-m", "benchmarks.serve_constant", "{port}")
            ),
        }
        contestants = {
            "json": (ours.port, JSON, "json"),
            "binary": (ours.port, BINARY, "binary"),
            "constant": (ports["constant"], BINARY, "binary"),
            **{
                name: (ports[name], JSON if name != "litserve" else "/invocations", "json")
                for name in ("mlflow", "fastapi", "litserve")
            },
        }
        rounds: dict[str, list[Load]] = {name: [] for name in contestants}
        for number in range(ROUNDS + 1):  # the first warms up
            for name, (port, path, script) in contestants.items():
                load = _wrk(port, path, scripts[script], SECONDS)
                if number:
                    rounds[name].append(load)
        cpu = _cpu_us(ours, lambda: _wrk(ours.port, BINARY, scripts["binary"], SECONDS))
    note = {"clients": CLIENTS, "seconds": SECONDS}

    def ratios(name: str, other: str, of: str = "rps") -> list[float]:
        return [
            getattr(one, of) / getattr(two, of)
            for one, two in zip(rounds[name], rounds[other], strict=True)
        ]

    results = [
        result("rps_vs_mlflow", ratios("json", "mlflow"), "times", body="JSON", **note),
        result(
            "rps_vs_mlflow_binary",
            ratios("binary", "mlflow"),
            "times",
            body="Open Inference Protocol, binary tensor",
            **note,
        ),
        result("p99_vs_mlflow", ratios("json", "mlflow", "p99_ms"), "times", **note),
        result("rps_vs_constant", ratios("binary", "constant"), "share", **note),
        result("rps_json_vs_fastapi", ratios("json", "fastapi"), "times", **note),
        result("rps_json_vs_litserve", ratios("json", "litserve"), "times", **note),
        result("cpu_us_binary", cpu, "us"),
    ]
    for name, loads in rounds.items():
        results.append(result(f"{name}_rps", [one.rps for one in loads], "1/s", **note))
        results.append(result(f"{name}_p99_ms", [one.p99_ms for one in loads], "ms", **note))
    return results


def fuzz() -> Results:
    """Requests made wrong, by schemathesis from /openapi.json and by mutating good ones: answers of
    5xx but 503, seconds, and memory.
    """
    with (
        tempfile.TemporaryDirectory(prefix="duli-serve-") as name,
        _ours(_unpacked(Path(name))) as ours,
    ):
        good = [
            request(path, body, headers)
            for path, (body, headers) in ((JSON, _json_body()), (BINARY, _binary_body()))
        ]
        _flood(ours.port, good, 500, random.Random(1))  # noqa: S311 -- nothing secret; memory counts from a warm server on
        before = _rss_mb(ours.pid)
        began = time.monotonic()
        by_schema = schemathesis(ours.port)
        found = _flood(ours.port, good, FUZZED, random.Random(0), began + LIMITS["fuzz"])  # noqa: S311
        grown = _rss_mb(ours.pid) - before
    return [
        result(
            "fuzz_requests",
            [found["sent"]],
            "requests",
            seconds=round(time.monotonic() - began),
            statuses=found["statuses"],
        ),
        result("fuzz_server_errors", [found["server_errors"]], "answers"),
        result("fuzz_slowest", [found["slowest"]], "s"),
        result("fuzz_wrong_answers", [found["wrong"]], "answers", valid_requests=found["valid"]),
        result("fuzz_memory_growth", [grown], "MB"),
        result(
            "schemathesis_failures",
            [by_schema["failures"]],
            "failures",
            requests=by_schema["requests"],
        ),
    ]


def slow() -> Results:
    """200 sockets that send nothing, half a request, or a byte now and then: when they are closed,
    and what good clients notice.
    """
    with (
        tempfile.TemporaryDirectory(prefix="duli-serve-") as name,
        _ours(_unpacked(Path(name))) as ours,
    ):
        script = _script(Path(name) / "binary.lua", *_binary_body())
        sent = [
            b"",
            b"GET /ping HTTP/1.1\r\nHo",
            b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n{",
            b"drip",
        ]
        calm, disturbed, lasted = [], [], []
        for _ in range(3):
            calm.append(_wrk(ours.port, BINARY, script, 5).p99_ms)
            waiting = [
                threading.Thread(target=_linger, args=(ours.port, sent[index % 4], lasted))
                for index in range(SLOW)
            ]
            for thread in waiting:
                thread.start()
            disturbed.append(_wrk(ours.port, BINARY, script, 5).p99_ms)
            for thread in waiting:
                thread.join()
    return [
        result("slow_sockets_closed_within", [max(lasted)], "s", sockets=len(lasted)),
        result(
            "slow_p99_ratio", [two / one for one, two in zip(calm, disturbed, strict=True)], "times"
        ),
    ]


def stop() -> Results:
    """SIGTERM under load, again and again: requests that were sent on an accepted connection and
    got no whole answer.
    """
    lost, answered, codes, chance = 0, 0, [], random.Random(0)  # noqa: S311
    until = time.monotonic() + LIMITS["stop"]
    with tempfile.TemporaryDirectory(prefix="duli-serve-") as name:
        package = _unpacked(Path(name))
        while len(codes) < STOPS and time.monotonic() < until:
            with _ours(package) as ours:
                counts: list[tuple[int, int]] = []
                clients = [
                    threading.Thread(target=_until_closed, args=(ours.port, counts))
                    for _ in range(8)
                ]
                for client in clients:
                    client.start()
                time.sleep(chance.uniform(0.02, 0.15))
                os.kill(ours.pid, signal.SIGTERM)
                codes.append(ours.process.wait(60))
                for client in clients:
                    client.join()
                answered += sum(one for one, _ in counts)
                lost += sum(two for _, two in counts)
    return [
        result("stop_lost", [lost], "requests", answered=answered, stops=len(codes)),
        result("stop_exit_codes_not_0", [sum(code != 0 for code in codes)], "exits"),
    ]


def flips() -> Results:
    """Bytes of the installed package changed one at a time, and files added, deleted, renamed,
    linked: how many are let pass.
    """
    passed, done, chance = 0, 0, random.Random(0)  # noqa: S311
    until = time.monotonic() + LIMITS["bytes"]
    with tempfile.TemporaryDirectory(prefix="duli-serve-") as name:
        package = _unpacked(Path(name))
        shutil.rmtree(package / "__pycache__", ignore_errors=True)
        contents = {
            path: path.read_bytes() for path in sorted(package.rglob("*")) if path.is_file()
        }
        places = [
            (path, position)
            for path, content in contents.items()
            for position in range(len(content))
        ]
        chance.shuffle(places)
        for path, position in places:
            if time.monotonic() > until:
                break
            with path.open("r+b") as file:
                file.seek(position)
                file.write(bytes([contents[path][position] ^ 1 << chance.randrange(8)]))
            passed += not _refused(package)
            path.write_bytes(contents[path])
            done += 1
        served = 0
        for path, content in contents.items():
            changes = {
                "flipped": lambda path=path, content=content: path.write_bytes(
                    content[:-1] + bytes([content[-1] ^ 1 if content else 0])
                ),
                "deleted": path.unlink,
                "renamed": lambda path=path: path.rename(path.with_name(f"{path.name}.bak")),
                "linked": lambda path=path: (
                    path.rename(package.parent / "elsewhere"),
                    path.symlink_to(package.parent / "elsewhere"),
                ),
                "added": lambda path=path: path.with_name(f"{path.name}.new").write_bytes(b""),
            }
            for change in changes.values():
                change()
                passed += not _refused(package)
                done += 1
                for extra in (
                    path.with_name(f"{path.name}.bak"),
                    path.with_name(f"{path.name}.new"),
                ):
                    extra.unlink(missing_ok=True)
                path.unlink(missing_ok=True)
                path.write_bytes(content)
        for path in (
            package / "model.onnx",
            package / "release.json",
            package / "page.js",
            package / "manifest.json",
        ):
            path.write_bytes(
                contents[path][:-3] + bytes([contents[path][-3] ^ 4]) + contents[path][-2:]
            )
            command = [sys.executable, "-m", "digits", "serve", "--port", "0"]
            ended = subprocess.run(
                command, env=_environment(package), capture_output=True, timeout=60, check=False
            )
            served += ended.returncode != 3 or bool(ended.stdout)
            path.write_bytes(contents[path])
    return [
        result("bytes_let_pass", [passed], "changes", tried=done, of_bytes=len(places)),
        result("bytes_served_all_the_same", [served], "servers", tried=4),
    ]


def linear() -> Results:
    """Processor time of what reads a client's bytes, here and without a server: the slowest of all
    readers and bodies of 1 MB.
    """
    cases, rounds = adversary.cases(), []
    for _ in range(3):
        bodies = {
            name: (adversary.seconds(case, MEGABYTE), len(case.body(MEGABYTE)))
            for name, case in cases.items()
        }
        # A small picture of many pixels costs what its pixels do: it counts as a megabyte.
        rounds.append(
            {name: seconds / max(1.0, size / MEGABYTE) for name, (seconds, size) in bodies.items()}
        )
    worst = [max(one.values()) for one in rounds]
    slowest = max(rounds[0], key=lambda name: rounds[0][name])
    return [
        result(
            "slowest_request_per_mb_s",
            worst,
            "s/MB",
            slowest=slowest,
            readers_and_bodies=len(cases),
        )
    ]


def idle() -> Results:
    """As many idle connections as the server takes, half of them without any request: how long
    others are refused.
    """
    connections = Settings().max_connections
    resource.setrlimit(
        resource.RLIMIT_NOFILE, (2 * connections, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    )
    ask = b"GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n"
    refused: list[float] = []
    with (
        tempfile.TemporaryDirectory(prefix="duli-serve-") as name,
        _ours(_unpacked(Path(name))) as ours,
        ExitStack() as stack,
    ):
        for number in range(connections):
            client = stack.enter_context(
                socket.create_connection(("127.0.0.1", ours.port), timeout=20)
            )
            if number % 2:
                client.sendall(ask)
                assert client.recv(999).startswith(b"HTTP/1.1 200")
        began = time.monotonic()
        for _ in range(OTHERS):
            if once(ours.port, ask)[0] != "200":
                refused.append(time.monotonic())
            # for each that asks, one more that is idle
            stack.enter_context(socket.create_connection(("127.0.0.1", ours.port), timeout=20))
        took = time.monotonic() - began
    locked_out = refused[-1] - began if refused else 0.0
    return [
        result(
            "idle_clients_lock_out_s",
            [locked_out],
            "s",
            idle=connections,
            others=OTHERS,
            refused=len(refused),
            within=round(took, 3),
        )
    ]


class Goodput(NamedTuple):
    """What clients that ask more than a server can do have got of it."""

    examples: float  # answered with 200 within DEADLINE, a second
    refused: float  # share of all answers
    p99: float  # seconds to an answer with 200
    cpu: float  # seconds that the server took for 1,000 examples answered
    cores: float  # that the server used
    generator: float  # cores that the clients used


def overload() -> Results:
    """Clients that send batches and ask again at once, far more than can be answered: ours against
    FastAPI, which refuses nobody.
    """
    with tempfile.TemporaryDirectory(prefix="duli-serve-") as place, ExitStack() as stack:
        package = _unpacked(Path(place))
        ours = stack.enter_context(_ours(package))
        rival = ("benchmarks.reference.serve_fastapi", str(package / "model.onnx"), "{port}")
        fastapi = stack.enter_context(_started(sys.executable, "-m", *rival))
        pixels = _images(BATCH).tobytes(), {"Content-Type": "application/octet-stream"}
        contestants = {
            "bytes_ours": (ours.port, BINARY, *_binary_body(BATCH)),
            "bytes_fastapi": (fastapi, "/raw", *pixels),
            "json_ours": (ours.port, JSON, *_json_body(BATCH)),
            "json_fastapi": (fastapi, JSON, *_json_body(BATCH)),
        }
        found: dict[str, list[Goodput]] = {name: [] for name in contestants}
        for number in range(ROUNDS + 1):  # the first warms up
            for name, asked in contestants.items():
                goodput = _pressed(*asked, [ours.pid] if name.endswith("ours") else [], PRESSING)
                if number:
                    found[name].append(goodput)
    note = {"clients": PRESSING, "batch": BATCH, "deadline_s": DEADLINE, "seconds": PRESS_SECONDS}

    def ratios(body: str) -> list[float]:
        pairs = zip(found[f"{body}_ours"], found[f"{body}_fastapi"], strict=True)
        return [one.examples / two.examples for one, two in pairs]

    results = [
        result("goodput_overload_vs_fastapi", ratios("bytes"), "times", body="bytes", **note),
        result("goodput_overload_vs_fastapi_json", ratios("json"), "times", body="JSON", **note),
    ]
    for name, goodputs in found.items():
        results += [
            result(f"overload_{name}_goodput", [one.examples for one in goodputs], "1/s", **note),
            result(f"overload_{name}_refused", [one.refused for one in goodputs], "share", **note),
            result(f"overload_{name}_p99", [one.p99 for one in goodputs], "s", **note),
        ]
    return results


def two_workers() -> Results:
    """A server of two processes against one of one, asked for large batches as bytes, which cost
    the clients next to nothing.
    """
    with tempfile.TemporaryDirectory(prefix="duli-serve-") as place, ExitStack() as stack:
        package = _unpacked(Path(place))
        servers = {
            count: stack.enter_context(_ours(package, "--workers", str(count))) for count in (1, 2)
        }
        found: dict[int, list[Goodput]] = {1: [], 2: []}
        for number in range(ROUNDS + 1):  # the first warms up
            for count, ours in servers.items():
                pids = [ours.pid, *_children(ours.pid)]
                goodput = _pressed(ours.port, BINARY, *_binary_body(BATCH), pids, CLIENTS)
                if number:
                    found[count].append(goodput)
    note = {"clients": CLIENTS, "batch": BATCH, "seconds": PRESS_SECONDS}
    ratios = [two.examples / one.examples for one, two in zip(found[1], found[2], strict=True)]
    results = [result("workers_2_vs_1", ratios, "times", **note)]
    for count, goodputs in found.items():
        results += [
            result(f"workers_{count}_examples", [one.examples for one in goodputs], "1/s", **note),
            result(f"workers_{count}_cpu_s_per_1000", [one.cpu for one in goodputs], "s", **note),
            result(f"workers_{count}_cores", [one.cores for one in goodputs], "cores", **note),
            result(
                f"workers_{count}_generator", [one.generator for one in goodputs], "cores", **note
            ),
        ]
    return results


def _pressed(
    port: int, path: str, body: bytes, headers: dict[str, str], pids: list[int], clients: int
) -> Goodput:
    """`clients` that ask for BATCH examples, and ask again at once whatever they are answered;
    `pids` are the server's.
    """
    answers: list[tuple[int, float]] = []  # status, seconds
    until = time.monotonic() + PRESS_SECONDS

    def ask() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        while (began := time.monotonic()) < until:
            connection.request("POST", path, body, headers)
            response = connection.getresponse()
            response.read()
            answers.append((response.status, time.monotonic() - began))
        connection.close()

    asking = [threading.Thread(target=ask) for _ in range(clients)]
    server, own, began = _cpu_seconds(pids), time.process_time(), time.monotonic()
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    seconds, server, own = (
        time.monotonic() - began,
        _cpu_seconds(pids) - server,
        time.process_time() - own,
    )
    good = sorted(took for status, took in answers if status == 200)
    return Goodput(
        examples=BATCH * sum(took <= DEADLINE for took in good) / seconds,
        refused=sum(status == 503 for status, _ in answers) / len(answers),
        p99=good[int(0.99 * len(good))],
        cpu=server / (BATCH * len(good)) * 1000,
        cores=server / seconds,
        generator=own / seconds,
    )


def _cpu_seconds(pids: list[int]) -> float:
    """Processor time that these processes have taken."""
    ticks = [
        Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13] for pid in pids
    ]
    return sum(int(one) for pair in ticks for one in pair) / os.sysconf("SC_CLK_TCK")


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


class Ours(NamedTuple):
    """Our server as a process."""

    process: "subprocess.Popen[str]"
    port: int

    @property
    def pid(self) -> int:
        return self.process.pid


def _unpacked(folder: Path) -> Path:
    """The package of the line's wheel, as an installation leaves it."""
    manifest = files.read_json(ROOT / "dist/manifest.json")
    with zipfile.ZipFile(ROOT / "dist" / manifest["wheel"]["file"]) as archive:
        archive.extractall(folder / "site")
    return folder / "site/digits"


def _environment(package: Path) -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": str(package.parent),
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


@contextmanager
def _ours(package: Path, *options: str) -> Iterator[Ours]:
    command = [sys.executable, "-m", "digits", "serve", "--port", "0", *options]
    with subprocess.Popen(
        command, env=_environment(package), stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"127\.0\.0\.1:(\d+)", process.stdout.readline())
            assert found
            yield Ours(process, int(found[1]))
        finally:
            process.terminate()


@contextmanager
def _started(*command: str) -> Iterator[int]:
    """Another server; `{port}` in the command becomes a free port, which it is given back once it
    answers there.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = [word.replace("{port}", str(port)) for word in command]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(words, cwd=ROOT, stdout=log, stderr=log, start_new_session=True)
        try:
            until = time.monotonic() + 120
            while True:
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                assert process.poll() is None, f"{words} ended"
                assert time.monotonic() < until, f"{words} does not answer"
                time.sleep(0.1)
            time.sleep(2)
            yield port
        finally:
            os.killpg(process.pid, signal.SIGTERM)  # with its workers
            process.wait(30)


def _mlflow_model(folder: Path, model: Path) -> Path:
    """The model that ships, as MLflow's registry keeps it."""
    import mlflow.onnx
    import onnx
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    signature = ModelSignature(Schema([TensorSpec(np.dtype(np.uint8), (-1, 1, 28, 28), "images")]))
    place, requirements = folder / "mlflow", ["onnx", "onnxruntime"]
    mlflow.onnx.save_model(
        onnx.load(model),
        str(place),
        signature=signature,
        pip_requirements=requirements,
        onnx_execution_providers=["CPUExecutionProvider"],
        save_as_external_data=False,
    )
    return place


def _images(n: int) -> Any:
    return np.frombuffer(IMAGES.read_bytes()[16 : 16 + n * 784], np.uint8).reshape(n, 1, 28, 28)


def _json_body(n: int = 1) -> tuple[bytes, dict[str, str]]:
    return json.dumps({"inputs": {"images": _images(n).tolist()}}).encode(), {
        "Content-Type": "application/json"
    }


def _binary_body(n: int = 1) -> tuple[bytes, dict[str, str]]:
    images = _images(n)
    tensor = {
        "name": "images",
        "shape": images.shape,
        "datatype": "UINT8",
        "parameters": {"binary_data_size": images.size},
    }
    part = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
    headers = {
        "Content-Type": "application/octet-stream",
        "Inference-Header-Content-Length": str(len(part)),
    }
    return part + images.tobytes(), headers


def _script(path: Path, body: bytes, headers: dict[str, str]) -> Path:
    """A request for wrk."""
    lines = [f'wrk.headers["{name}"] = "{value}"' for name, value in headers.items()]
    escaped = "".join(f"\\{byte:03d}" for byte in body)
    path.write_text("\n".join(['wrk.method = "POST"', *lines, f'wrk.body = "{escaped}"']) + "\n")
    return path


def _wrk(port: int, path: str, script: Path, seconds: int) -> Load:
    command = [
        "wrk",
        "-t1",
        f"-c{CLIENTS}",
        f"-d{seconds}s",
        "--timeout",
        "10s",
        "--latency",
        "-s",
        script,
        f"http://127.0.0.1:{port}{path}",
    ]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in told or "Socket errors" in told:
        sys.exit(f"port {port}, {path} does not answer as it should:\n{told}")
    units = {"us": 1e-3, "ms": 1.0, "s": 1e3}
    found = {
        name: float(value) * units[unit]
        for name, value, unit in re.findall(r"(\d+)%\s+([\d.]+)(us|ms|s)\b", told)
    }
    rps = re.search(r"Requests/sec:\s+([\d.]+)", told)
    assert rps, told
    return Load(float(rps[1]), found["50"], found["99"])


def _cpu_us(ours: Ours, load: Callable[[], Load]) -> list[float]:
    """Microseconds of processor time that the server takes for a request."""

    found = []
    for _ in range(3):
        before = _cpu_seconds([ours.pid])
        rps = load().rps
        found.append((_cpu_seconds([ours.pid]) - before) / (rps * SECONDS) * 1e6)
    return found


def _rss_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def _flood(
    port: int, good: list[bytes], n: int, chance: random.Random, until: float = float("inf")
) -> dict[str, Any]:
    """`n` mutated requests, and after each ten a good one whose answer has to stay what it was."""
    expected = [once(port, one)[1] for one in good]
    statuses: dict[str, int] = {}
    sent = wrong = valid = 0
    slowest = 0.0
    while sent < n and time.monotonic() < until:
        began = time.monotonic()
        status, _ = once(port, mutated(chance.choice(good), chance))
        slowest = max(slowest, time.monotonic() - began)
        statuses[status] = statuses.get(status, 0) + 1
        sent += 1
        if sent % 10 == 0:
            index = chance.randrange(len(good))
            valid += 1
            wrong += once(port, good[index])[1] != expected[index]
    errors = sum(
        count for status, count in statuses.items() if status.startswith("5") and status != "503"
    )
    return {
        "sent": sent,
        "statuses": statuses,
        "server_errors": errors,
        "slowest": slowest,
        "wrong": wrong,
        "valid": valid,
    }


def _linger(port: int, sent: bytes, lasted: list[float]) -> None:
    """Holds a connection as a slow client does, until the server ends it."""
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=60) as one:
        try:
            if sent == b"drip":
                one.settimeout(0.5)
                for byte in b"GET /ping HTTP/1.1\r\nHost: localhost\r\nX-Slow: " + b"x" * 1000:
                    one.sendall(bytes([byte]))
                    try:
                        if not one.recv(999):
                            break
                    except TimeoutError:
                        continue
            else:
                one.sendall(sent)
                while one.recv(999):
                    pass
        except ConnectionError:
            pass
    lasted.append(time.monotonic() - began)


def _until_closed(port: int, counts: list[tuple[int, int]]) -> None:
    """Asks on one connection until the server says that it closes it; counts what was answered and
    what was lost.
    """
    body, headers = _binary_body()
    answered = lost = 0
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.connect()
    except OSError:
        counts.append((0, 0))
        return
    try:
        while True:
            connection.request("POST", BINARY, body, headers)
            response = connection.getresponse()
            response.read()
            if response.status != 200:
                lost += 1
            answered += 1
            if response.will_close:
                break
    except (OSError, http.client.HTTPException):
        lost += 1
    finally:
        connection.close()
    counts.append((answered, lost))


def _refused(package: Path) -> bool:
    try:
        verify(package)
    except IntegrityError:
        return True
    return False


PARTS: dict[str, Callable[[], Results]] = {
    "speed": speed,
    "overload": overload,
    "workers": two_workers,
    "fuzz": fuzz,
    "slow": slow,
    "stop": stop,
    "bytes": flips,
    "linear": linear,
    "idle": idle,
}


if __name__ == "__main__":
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    main()
