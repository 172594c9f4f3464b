"""Damage for records: bytes are flipped, cut, inserted, spliced and moved; values inside JSON change type, name and order."""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import rfc8785

STRANGE_VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 1.5, -0.0, 1e308, 2**53 - 1, 2**40 + 1, "", "0", "x", "\x00", "\u202e", "é" * 300, "A" * 5000, [], [[]],
    {}, {"": 0}, "0" * 32, "0" * 64, "leave", "own-voice", "hometone/tombstone/v1", "AAAA", "=",
)  # fmt: skip
STRANGE_BYTES = (
    b"\x00",
    b"\xff",
    b"\n",
    b"\n\n",
    b" ",
    b'"',
    b"\\",
    b"{}",
    b"[" * 3000,
    b"\xe2\x80\x94 ",
    b"+",
    b"=",
    b"1e999",
    b"NaN",
    b"\xed\xa0\x80",
)


def damaged(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """One to three changes; the result may, seldom, be what it was."""
    changed = data
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        for _attempt in range(4):
            change = rng.choice(BYTE_CHANGES if rng.random() < 0.5 else (inside_json,))
            changed = change(changed, rng, others)
            if changed != data:
                break
    return changed


def _cut(data: bytes, rng: random.Random) -> tuple[int, int]:
    begin = rng.randint(0, len(data))
    return begin, min(len(data), begin + rng.choice((0, 1, 1, 2, 4, 16, 64, 400)))


def flip(data: bytes, rng: random.Random, _: Sequence[bytes]) -> bytes:
    if not data:
        return data
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]


def truncate(data: bytes, rng: random.Random, _: Sequence[bytes]) -> bytes:
    at = rng.randint(0, len(data))
    return data[:at] if rng.random() < 0.8 else data[at:]


def insert(data: bytes, rng: random.Random, _: Sequence[bytes]) -> bytes:
    at = rng.randint(0, len(data))
    return data[:at] + (rng.choice(STRANGE_BYTES) if rng.random() < 0.5 else rng.randbytes(rng.choice((1, 2, 32)))) + data[at:]


def remove(data: bytes, rng: random.Random, _: Sequence[bytes]) -> bytes:
    begin, end = _cut(data, rng)
    return data[:begin] + data[end:]


def repeat(data: bytes, rng: random.Random, _: Sequence[bytes]) -> bytes:
    begin, end = _cut(data, rng)
    return data[:end] + data[begin:]


def move(data: bytes, rng: random.Random, _: Sequence[bytes]) -> bytes:
    begin, end = _cut(data, rng)
    rest = data[:begin] + data[end:]
    at = rng.randint(0, len(rest))
    return rest[:at] + data[begin:end] + rest[at:]


def splice(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    other = rng.choice(others)
    at = rng.randint(0, min(len(data), len(other)))
    return data[:at] + other[at:]


def reorder_lines(data: bytes, rng: random.Random, _: Sequence[bytes]) -> bytes:
    lines = data.split(b"\n")
    rng.shuffle(lines)
    return b"\n".join(lines)


Change = Callable[[bytes, random.Random, Sequence[bytes]], bytes]
BYTE_CHANGES: tuple[Change, ...] = (flip, flip, truncate, insert, remove, repeat, move, splice, reorder_lines)


def inside_json(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """Change one value of a document and write it canonically again; bytes that are none get a flipped bit."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return flip(data, rng, others)
    places = list(_places(document))
    if not places:
        return flip(data, rng, others)
    container, name = rng.choice(places)
    kind = rng.randrange(7)
    if kind <= 1:
        container[name] = rng.choice(STRANGE_VALUES)
    elif kind == 2:
        other, other_name = rng.choice(places)
        container[name], other[other_name] = other[other_name], container[name]
    elif kind == 3:
        del container[name]
    elif kind == 4:
        _add(container, name, rng)
    elif kind == 5:
        container[name] = _near(container[name], rng)
    else:
        container[name] = _elsewhere(rng.choice(others), rng)
    try:
        return rfc8785.dumps(document)
    except (ValueError, RecursionError):
        return flip(data, rng, others)


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, name or index) of a document."""
    for name, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield value, name
        yield from _places(inner)


def _add(container: Any, name: Any, rng: random.Random) -> None:
    if isinstance(container, list):
        container.insert(rng.randint(0, len(container)), container[name])
    else:
        container[rng.choice(("x", "", f"{name}2", f"{name} "))] = container[name]


def _near(value: Any, rng: random.Random) -> Any:
    """Something of the same type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + rng.choice((-1, 1, 1000, 0.5, 2**31))
    if isinstance(value, list):
        return rng.sample(value, len(value))
    if isinstance(value, str) and value:
        at = rng.randrange(len(value))
        return rng.choice(
            (value[:at] + rng.choice("A0f/+=é-") + value[at + 1 :], value[:at], value + value[at], value.upper(), value[::-1])
        )
    return [value]


def _elsewhere(data: bytes, rng: random.Random) -> Any:
    """A value of another record."""
    try:
        places = list(_places(json.loads(data)))
    except (ValueError, RecursionError):
        return data.decode("latin-1")
    if not places:
        return None
    container, name = rng.choice(places)
    return container[name]
