"""A replay from one end to the other: real commands as processes over TLS; she withdraws, her rounds are repeated, the old releases go."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from tests.village import Village, free_port, together, until, write_name_of_base

pytestmark = pytest.mark.federation

PROGRAM = (str(Path(__file__).parent / "quick_learner.py"),)
NAMES = ("Wilhelmine Oberhauser", "Concetta Malaspina", "Agnieszka Wojciechowska", "Bartholomew Featherstone")
ORDER = ("--speakers", 5, "--laptops", 4, "--minimum-cohort", 3, "--prepare-s", 60, "--dimension", 8)
EPSILON = 3.9


@pytest.fixture(scope="module")
def village(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Village]:
    folder = tmp_path_factory.mktemp("replaying")
    with Village(folder, port=free_port(), models=write_name_of_base(folder / "models")) as village:
        for number, name in enumerate(NAMES, start=1):
            village.laptop(f"laptop-{number}").enrol(name)
        village.found()
        village.settle(*village.laptops, minimum_cohort=3)
        together(*(partial(laptop.start, program=PROGRAM) for laptop in village.laptops))
        yield village


def vectors(laptop) -> set[str]:
    return {path.name for path in (laptop.home / "federation" / "releases").iterdir()}


def test_she_withdraws_and_the_shared_model_is_made_again_without_her(village):
    village.order(*ORDER, "--rounds", 2, "--epsilon", EPSILON, "--replays", 1).ok()
    first = village.coordinator("releases").ok()["releases"]
    old = {each["vector_sha256"] for each in first[1:]}
    *staying, leaving = village.laptops
    assert vectors(staying[0]) & old

    leaving.command("revoke", NAMES[-1], "--repeat-shared-model", "--pin-file", village.pin, "--yes").ok()
    until(lambda: village.coordinator("replay", "--dry-run").code == 0, "the tombstone reaching the coordinator", pause_s=0.5)
    said = village.coordinator("replay", "--dry-run").ok()
    assert (said["from_release"], [each["release"] for each in said["rounds"]], said["withdraws"]) == (0, [1, 2], [1, 2])
    assert said["reserved"] is True
    assert 0 < said["epsilon"] < EPSILON
    assert (said["laptops"], said["laptops_here"]) == (4, 4)

    replayed = village.coordinator("replay", "--yes").ok()
    assert replayed["state"] == "finished"
    assert all(each["figures"]["survivors"] == 3 for each in replayed["attempts"])
    releases = village.coordinator("releases").ok()["releases"]
    assert [each["status"] for each in releases[3:]] == ["provisional", "provisional", "current"]
    assert village.status()["release"] == 5
    assert village.coordinator("releases").ok()["withdrawn"] == [1, 2]
    assert {path.name for path in (village.root / "releases").iterdir()}.isdisjoint(old)
    assert village.coordinator("replay", "--dry-run").message == "nobody waits for a replay"

    together(*(partial(laptop.command, "sync") for laptop in staying))
    for laptop, name in zip(staying, NAMES, strict=False):
        until(lambda laptop=laptop: vectors(laptop).isdisjoint(old), "the old releases going", patience_s=60)
        ledger = laptop.ledger(name)
        assert [entry.state for entry in ledger.entries] == ["spent"] * 4
        assert [bool(entry.repeats) for entry in ledger.entries] == [False, False, True, True]
        assert ledger.spent_epsilon() == pytest.approx(ledger.committed_epsilon())
        assert ledger.spent_epsilon() <= EPSILON + 1e-6, "rounds and replay together cost what was told before the first"
    village.order("--purpose", "evaluation", *ORDER[:-2], "--epsilon", 1).ok()
