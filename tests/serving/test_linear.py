"""Whatever reads a client's bytes takes no longer for a byte the more there are."""

import random

import pytest

from harness import adversary

LENGTH = 2**13  # bytes; then 4 and 16 times as many
BETWEEN = 64  # times as long for 16 times as many bytes: 16 is linear, 256 is quadratic
FLOOR = 1e-4  # seconds below which nothing is told
MOST = 2.0  # seconds for a body: whoever is quadratic shall fail soon
SLOWEST = 4.0  # seconds a megabyte, on a machine that does other things too
CASES = adversary.cases()
TOKENS = [
    *(
        b'"',
        b"\\",
        rb"\"",
        b"[",
        b"]",
        b"{",
        b"}",
        b",",
        b":",
        b"1",
        b"-",
        b"e",
        b".",
        b"0",
        b" ",
        b"true",
        b"null",
        b'{"a":',
        b"[[",
    ),
    *(
        b"\r\n",
        b"\n",
        b"\r",
        b";",
        b"a",
        b"\0",
        b"\xff",
        b"\xc3\xa9",
        rb"\ud800",
        b"feature 0",
        b"\1\0\0\0a",
        b"\xff\xda",
        b"IDAT",
    ),
    *(
        b"GET / HTTP/1.1\r\n",
        b"Host: a\r\n",
        b"1\r\n",
        b"0\r\n\r\n",
        b"Connection: upgrade\r\n",
        b"1;a=b\r\n",
        b"X: y\r\n",
    ),
]


@pytest.mark.parametrize("name", CASES)
def test_the_time_for_a_byte_does_not_grow(name: str) -> None:
    case = CASES[name]
    taken = [adversary.seconds(case, LENGTH)]
    for times in (4, 16):
        taken.append(adversary.seconds(case, times * LENGTH))
        assert taken[-1] < MOST
    assert taken[-1] < BETWEEN * max(taken[0], FLOOR)


@pytest.mark.parametrize("name", adversary.PIECES)
def test_nor_does_it_where_bytes_come_one_by_one(name: str) -> None:
    """The least that a loop of one byte costs is much; a head of 16 kB is the most that is
    read so.
    """
    body, pieces = adversary.PIECES[name]
    few, many = (
        adversary.spent(lambda content: adversary.http(content, pieces), body(size), 3)
        for size in (1000, 15_000)
    )
    assert many < 4 * 15 * few


def test_what_is_made_up_at_random_is_read_as_fast() -> None:
    """Tokens of all formats again and again, between the beginning and the end of a slow body."""
    chance = random.Random(0)
    slowest = {}
    for name, case in CASES.items():
        whole = case.body(1000)
        for _ in range(2):
            unit = b"".join(chance.choices(TOKENS, k=chance.choice((1, 1, 2, 3))))
            start, end = (
                whole[: chance.randrange(len(whole))],
                whole[chance.randrange(len(whole)) :],
            )
            body = start + unit * (2**15 // len(unit)) + end
            taken = adversary.spent(case.read, body) / len(body) * 1e6
            slowest[name, unit] = (
                taken if taken < SLOWEST else adversary.spent(case.read, body, 3) / len(body) * 1e6
            )
    assert not {key: value for key, value in slowest.items() if value > SLOWEST}
