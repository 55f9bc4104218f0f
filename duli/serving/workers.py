"""Processes that answer at one port, and the supervisor that starts, stops and ends with them."""

import os
import signal
import socket
import sys
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from .errors import InputError, WorkerError

STOPS = (signal.SIGTERM, signal.SIGINT)
OTHER_FILES = 64  # open files that are no connections
BALANCED = sys.platform == "linux"  # whether connections are spread over the sockets of a port


class Worker(NamedTuple):
    """The resources of a worker process."""

    number: int  # from 0
    listening: socket.socket
    started: Callable[[], None]  # to be called once it answers
    lifeline: int | None  # a pipe that is closed once the supervisor is gone, where there is one


def listen(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """A socket bound to the address, which others may be bound to as well if they are all `shared`.

    Raises `InputError` if the address cannot be had.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        one = socket.socket(family, kind, protocol)
        if sys.platform != "win32":
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            one.bind(address)
        except OSError:
            one.close()
            raise
        one.setblocking(False)  # noqa: FBT003
    except (OSError, UnicodeError) as error:  # a name with a label too long, or not UTF-8, is none
        reason = error.strerror if isinstance(error, OSError) else "this is no name of a host"
        raise InputError(
            f"cannot listen on {host}, port {port} ({reason}); choose another with --host and"
            " --port",
        ) from None
    return one


def open_files(connections: int) -> None:
    """Lets this process and those it starts have a file open for each of the `connections`.

    Raises `InputError` if the system allows fewer.
    """
    if sys.platform == "win32":  # which has no such bound
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + OTHER_FILES
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    if hard != resource.RLIM_INFINITY and hard < wanted:
        most = hard - OTHER_FILES
        raise InputError(
            f"{connections} connections need {wanted} open files, the system allows {hard}; "
            f"give --max-connections {most} or less, or raise the limit (ulimit -n)"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def address(listening: socket.socket) -> str:
    """The address of a socket."""
    host, port = listening.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


class Supervisor:
    """The process that the others were forked from."""

    def __init__(self) -> None:
        self.children: dict[int, int] = {}  # process -> its number
        self.stopping = False
        for number in STOPS:
            signal.signal(number, self.stop)

    def stop(self, *_: object) -> None:
        """Lets every process finish its open requests, and end."""
        self.stopping = True
        for child in self.children:
            os.kill(child, signal.SIGTERM)

    def fork(self, number: int) -> bool:
        """Forks; True in the new process."""
        sys.stdout.flush()
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
        child = os.fork()
        if child:
            self.children[child] = number
        else:
            for stop in STOPS:
                signal.signal(stop, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
        return not child

    def wait(self, *, answering: bool) -> None:
        """Waits until all have ended; raises `WorkerError` if one did so unasked or went wrong.

        Unless the server was `answering`, its process has said why; the supervisor ends as it did.
        """
        first = None
        while self.children:
            child, status = os.wait()
            if child not in self.children:  # an orphan that a container gave to its first process
                continue
            number, code = self.children.pop(child), os.waitstatus_to_exitcode(status)
            if first is None and (not self.stopping or code not in (0, -signal.SIGTERM)):
                first = (number, child, code)
            if not self.stopping:
                self.stop()
        if first and first[2] > 0 and not answering:
            sys.exit(first[2])
        if first:
            raise WorkerError(
                f"worker {first[0]} (process {first[1]}) ended with {first[2]}, and the server with"
                " it; see what it said, and start it again",
            )


def run(
    host: str,
    port: int,
    processes: int,
    answer: Callable[[Worker], None],
    announce: Callable[[socket.socket], None],
) -> None:
    """Forks `processes` that each `answer`, calls `announce` once all do; returns when all ended.

    Call it before a thread is started and the model is loaded. The first process is started alone,
    so that what is wrong with the package is said once. Nothing is restarted: one that ends unasked
    ends the others after their answers, and raises `WorkerError`. In a process it returns when
    `answer` does.
    """
    if sys.platform == "win32":
        raise InputError("--workers needs fork, which Windows has not; give --workers 1")
    sockets = _sockets(host, port, processes)
    lifeline, held = os.pipe()
    supervisor = Supervisor()
    pipes: list[int] = []
    answering = True
    for number, listening in enumerate(sockets):
        reading, writing = os.pipe()
        if supervisor.fork(number):
            os.close(held)
            for other in set(sockets) - {listening}:
                other.close()  # else it would go on listening once its own process is gone
            answer(Worker(number, listening, partial(_say, writing), lifeline))
            return
        os.close(writing)
        pipes.append(reading)
        if number == 0 and not (answering := _said(reading)):
            break
    answering = answering and all(map(_said, pipes[1:]))
    if answering:
        announce(sockets[0])
    for listening in set(sockets):
        listening.close()
    supervisor.wait(answering=answering)


def _say(writing: int) -> None:
    """Tells the supervisor that this process is ready."""
    os.write(writing, b".")


def _said(reading: int) -> bool:
    """Whether the process at the other end is ready; False once it has ended."""
    return bool(os.read(reading, 1))


def _sockets(host: str, port: int, processes: int) -> list[socket.socket]:
    """One socket per process; the same for all where the system would give one of them all
    connections.
    """
    alone = listen(host, port)  # two servers of one user could share the port without knowing it
    if not BALANCED:
        return [alone] * processes
    port = alone.getsockname()[1]
    alone.close()
    return [listen(host, port, shared=True) for _ in range(processes)]
