"""Damages of files, and a watch over what reads them."""

import contextlib
import random
import signal
import tracemalloc
from collections.abc import Iterator
from typing import Any

SECONDS = 60  # more than any case takes by far, on the slowest machine: it hangs
MEMORY = 100 << 20  # bytes; the files have some kilobytes, and libraries are loaded meanwhile
HUGE = [b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\xff" * 8, b"\x00" * 4, b"\x80\x00\x00\x00"]


def flip(content: bytearray, chance: random.Random) -> None:
    """One bit, or a few, or many."""
    for _ in range(chance.choice([1, 1, 1, 4, 40])):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)


def cut(content: bytearray, chance: random.Random) -> None:
    """Only the beginning is left."""
    del content[chance.randrange(len(content)) :]


def lengthen(content: bytearray, chance: random.Random) -> None:
    """Something follows."""
    content += chance.randbytes(chance.choice([1, 100, 10_000]))


def overwrite(content: bytearray, chance: random.Random) -> None:
    """A block anywhere."""
    place = chance.randrange(len(content))
    block = chance.choice([*HUGE, chance.randbytes(16), b"\x00" * 64])
    content[place : place + len(block)] = block


def at_the_head(content: bytearray, chance: random.Random) -> None:
    """A number where sizes stand."""
    place = chance.randrange(min(64, len(content)))
    block = chance.choice(HUGE)
    content[place : place + len(block)] = block


def repeat(content: bytearray, chance: random.Random) -> None:
    """Some of it stands there twice."""
    start = chance.randrange(len(content))
    content[start:start] = content[start : start + chance.randrange(1, 200)]


def other_digits(content: bytearray, chance: random.Random) -> None:
    """Sizes that are written as text, as in .npy and in JSON."""
    digits = [i for i, byte in enumerate(content[:2000]) if chr(byte).isdigit()]
    for i in chance.sample(digits, min(len(digits), 3)):
        content[i : i + 1] = chance.choice([b"9", b"0", b"-1", b"99999999999", b"1e9"])


DAMAGES = [flip, cut, lengthen, overwrite, at_the_head, repeat, other_digits]


def damaged(content: bytes, count: int, seed: int = 0) -> Iterator[bytes]:
    """That many damaged copies."""
    chance = random.Random(seed)
    for _ in range(count):
        copy = bytearray(content)
        chance.choice(DAMAGES)(copy, chance)
        yield bytes(copy)


class Hangs(BaseException):
    """No Exception, which a reader could take for a bad file."""


@contextlib.contextmanager
def watched(case: str, seconds: float = SECONDS) -> Iterator[None]:
    """Fail on what hangs or takes memory."""

    def hang(*_: Any) -> None:
        raise Hangs(case)

    old = signal.signal(signal.SIGALRM, hang)
    try:
        tracemalloc.start()  # Python's memory and NumPy's, also what is not touched
        signal.setitimer(signal.ITIMER_REAL, seconds)
        yield
        assert tracemalloc.get_traced_memory()[1] < MEMORY, f"{case} takes memory"
    finally:
        tracemalloc.stop()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
