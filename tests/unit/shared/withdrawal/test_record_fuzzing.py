"""Some thousands of damaged records against every parser; benchmarks/record_fuzzing.py does as many as it is told to."""

import importlib.util
import sys
from pathlib import Path

import pytest

PATH = Path(__file__).parents[4] / "benchmarks" / "record_fuzzing.py"
EXECUTIONS = 4_000


@pytest.fixture(scope="module")
def fuzzing():
    before = list(sys.path)
    specification = importlib.util.spec_from_file_location("record_fuzzing", PATH)
    module = importlib.util.module_from_spec(specification)
    sys.modules["record_fuzzing"] = module
    try:
        specification.loader.exec_module(module)
        yield module
    finally:
        sys.path[:] = before
        for name in ("record_fuzzing", "fuzzing", "fuzzing.samples", "fuzzing.mutations"):
            sys.modules.pop(name, None)


def test_every_parser_takes_what_is_whole(fuzzing):
    for target in fuzzing.TARGETS:
        for data in target.valid:
            assert target.read(target.sign(data)) is not None


def test_damage_is_refused_or_says_nothing_new(fuzzing):
    tally = fuzzing.fuzz(seed=20, executions=EXECUTIONS)
    assert tally.failures == []
    assert tally.executions == EXECUTIONS == sum((tally.refused + tally.same + tally.other).values())
    assert min(tally.refused[target.name] for target in fuzzing.TARGETS) > 50


def test_a_failure_is_told_with_what_brings_it_back(fuzzing):
    def careless(data: bytes) -> bytes:
        if len(data) > 3:
            raise ValueError("not a protocol error")
        return data

    targets = [fuzzing.Target("careless", (b"abcd",), careless)]
    tally = fuzzing.fuzz(seed=5, executions=60, targets=targets)
    assert {failure.split(";")[0] for failure in tally.failures} == {
        "careless: ValueError: not a protocol error",
        "careless: took what it must not",
    }
    number = int(tally.failures[0].split("--first ")[1].split(" ")[0])
    again = fuzzing.fuzz(seed=5, first=number, executions=1, targets=targets)
    assert again.failures == tally.failures[:1]
