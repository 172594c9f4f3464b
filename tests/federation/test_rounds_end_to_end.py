"""Rounds from one end to the other: the real commands as processes, over TLS; laptops, the executor and the SuperLink are killed.

All rounds have the purpose `balance`, which trains nothing. To kill a process in the middle of a round, a round is ordered whose grid of
replies is seconds wide: laptops then hold their noised vectors back until the next tick. Every test begins and ends with all four laptops
waiting; what earlier tests did stays in ledgers and log, as in life.
"""

import json
import math
from collections.abc import Iterator
from functools import partial
from statistics import NormalDist

import pytest
from tests.village import Laptop, Village, free_port, together, until, write_name_of_base

from hometone_shared.privacy.cells import CELLS, HISTOGRAM_CLIP_NORM

pytestmark = pytest.mark.federation

EPSILON = 0.5
ORDER = ("--purpose", "balance", "--speakers", 5, "--laptops", 4, "--epsilon", EPSILON, "--minimum-cohort", 3, "--prepare-s", 60)
SLOT_MS = 2500
SLOW = ("--slot-ms", SLOT_MS)
NAMES = {
    "laptop-1": ("Wilhelmine Oberhauser", "Friedolin Oberhauser"),
    "laptop-2": ("Concetta Malaspina",),
    "laptop-3": ("Agnieszka Wojciechowska",),
    "laptop-4": ("Bartholomew Featherstone",),
}


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Village]:
    """A coordinator, four laptops, five speakers."""
    folder = tmp_path_factory.mktemp("village")
    with Village(folder, port=free_port(), models=write_name_of_base(folder / "models")) as village:
        for name, people in NAMES.items():
            laptop = village.laptop(name)
            for person in people:
                laptop.enrol(person, age_band="70-79", gender="woman", settlement="rural", region="Toskana")
        village.found()
        village.settle(*village.laptops, minimum_cohort=3)
        yield village


@pytest.fixture
def village(founded: Village) -> Village:
    """All four laptops are there."""
    founded.everybody_here()
    return founded


def gaussian_epsilon(multipliers: list[float], *, delta: float) -> float:
    """Epsilon of Gaussian releases, by the formula of Balle and Wang 2018 (theorem 8), independent of Hometone's accountant."""
    z = sum(each**-2 for each in multipliers) ** -0.5
    normal = NormalDist().cdf

    def spent(epsilon: float) -> float:
        return normal(0.5 / z - epsilon * z) - math.exp(epsilon) * normal(-0.5 / z - epsilon * z)

    low, high = 0.0, 50.0
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if spent(middle) > delta else (low, middle)
    return high


def check_ledgers(village: Village, *, killed: tuple[Laptop, ...] = ()) -> None:
    """What was sent was paid for, once. A laptop that was killed may have paid and not sent: first it is written down, then sent."""
    offered = [each["plan_sha256"] for each in village.status()["attempts"]]
    assert len(set(offered)) == len(offered)
    assert all(offered)
    for laptop in village.laptops:
        sent = laptop.sent()
        for name in laptop.speakers:
            ledger = laptop.ledger(name)
            digests = [entry.plan for entry in ledger.entries]
            assert len(set(digests)) == len(digests)
            assert set(digests) <= set(offered)
            spent = {entry.plan for entry in ledger.entries if entry.state == "spent"}
            assert spent >= sent if laptop in killed else spent == sent
            counted = [entry for entry in ledger.entries if entry.state != "released"]
            assert {entry.plan for entry in counted} - spent <= {offered[-1]}, "only for the newest plan may something be set aside"
            expected = gaussian_epsilon([entry.noise_multiplier for entry in counted], delta=ledger.budget.delta)
            assert ledger.spent_epsilon() == pytest.approx(expected, rel=1e-3)


def wait_for_end(village: Village, run: str) -> None:
    until(lambda: village.state(run) in {"finished", "failed", "stopped"}, "the round", pause_s=0.4)


def test_four_laptops_five_speakers(village):
    answer = village.order(*ORDER).ok()
    (attempt,) = answer["attempts"]
    assert answer["state"] == attempt["state"] == "finished"
    assert attempt["figures"]["devices"] == dict.fromkeys(("offer", "roster", "mask", "survivors", "unmask"), 4)
    assert (attempt["figures"]["survivors"], attempt["figures"]["speakers"]) == (4, 5)

    status = village.status()
    balance = status["balance"]
    assert balance["run"] == answer["run"]
    assert set(balance["cells"]) == set(CELLS)
    (z,) = {entry.noise_multiplier for entry in village.laptops[0].ledger(NAMES["laptop-1"][0]).entries}
    # Noise of four laptops, each of which adds enough for the case that only three stay (docs/protocol.md, section 4).
    assert balance["noise_std"] == pytest.approx(z * HISTOGRAM_CLIP_NORM * math.sqrt(4 / 3), rel=1e-6)
    assert all(cell["count"] is None or cell["count"] > 1.95 * balance["noise_std"] for cell in balance["cells"].values())
    shown = json.dumps(status, ensure_ascii=False)
    for laptop in village.laptops:
        for secret in (laptop.device, *laptop.ids, *laptop.speakers, *(part for name in laptop.speakers for part in name.split())):
            assert secret
            assert secret not in shown

    everybody = [(laptop, name) for laptop in village.laptops for name in laptop.speakers]
    shown = together(*(partial(laptop.command, "ledger", name, "--pin-file", village.pin) for laptop, name in everybody))
    assert len(shown) == 5
    for ledger in (ran.ok() for ran in shown):
        (entry,) = ledger["entries"]
        assert (entry["plan"], entry["run"], entry["state"]) == (attempt["plan_sha256"], answer["run"], "spent")
        assert (entry["purpose"], entry["noise_multiplier"]) == ("balance", z)
        assert 0 < ledger["spent_epsilon"] <= EPSILON
        assert ledger["left_epsilon"] == ledger["budget"]["epsilon"] - ledger["spent_epsilon"]
    log = village.coordinator("log", "--verify").ok()
    assert log["verified"] is True
    assert attempt["plan_sha256"] in {entry["digest"] for entry in log["entries"]}


def test_a_laptop_killed_in_mid_round_loses_nothing_but_itself(village):
    gone = village.laptops[3]
    run = village.order(*ORDER, *SLOW, "--stage-s", 20, wait=False).ok()["run"]
    village.wait_for_stage(run, "mask")
    gone.kill()
    wait_for_end(village, run)
    (attempt,) = village.attempts(run)
    assert attempt["state"] == "finished", attempt
    assert attempt["figures"]["devices"]["roster"] == 4
    assert attempt["figures"]["survivors"] == attempt["figures"]["devices"]["unmask"] == 3
    assert attempt["figures"]["speakers"] == 4

    gone.start()  # it comes back, and takes part in the next round
    (attempt,) = village.order(*ORDER).ok()["attempts"]
    assert (attempt["figures"]["survivors"], attempt["figures"]["speakers"]) == (4, 5)
    check_ledgers(village, killed=(gone,))


def test_a_killed_executor_is_resumed_with_a_new_plan(village):
    run = village.order(*ORDER, *SLOW, wait=False).ok()["run"]
    village.wait_for_stage(run, "mask")
    executor = village.part("executor")
    executor.kill()
    answer = village.coordinator("round", "--resume", run).ok()
    assert village.part("executor").pid != executor.pid
    first, second = answer["attempts"]
    assert (first["state"], first["figures"]["reason"]) == ("failed", "interrupted")
    assert (second["state"], second["round"], second["attempt"]) == ("finished", 1, 2)
    assert second["figures"]["speakers"] == 5
    check_ledgers(village, killed=(village.laptops[3],))
    again = village.coordinator("round", "--resume", run)
    assert (again.code, again.message) == (2, "this campaign is finished")


def test_a_killed_superlink_comes_back_and_the_round_goes_on(village):
    village.part("superlink").kill()
    for laptop in village.laptops:  # nobody has to start anything again
        until(lambda laptop=laptop: "connected again" in laptop.log, f"{laptop.name} connecting again")
    run = village.order(*ORDER, *SLOW, wait=False).ok()["run"]
    village.wait_for_stage(run, "mask")
    superlink = village.part("superlink")
    superlink.kill()

    def resumed() -> bool:
        """As a person would: until the coordinator answers again. Whether the attempt survived is up to who was quicker."""
        ran = village.coordinator("round", "--resume", run)
        return ran.code == 0 or (ran.code == 2 and ran.message == "this campaign is finished")

    until(resumed, "the round", pause_s=0.5)
    assert village.part("superlink").pid != superlink.pid
    attempts = village.attempts(run)
    assert village.state(run) == "finished"
    assert [each["state"] for each in attempts].count("finished") == 1
    assert attempts[-1]["figures"]["speakers"] == 5
    check_ledgers(village, killed=(village.laptops[3],))


def test_a_laptop_with_stricter_limits_refuses_in_words(village):
    strict = village.laptops[3]
    strict.stop()
    strict.command("join", "--minimum-cohort", 50).ok()
    strict.start()
    ran = village.order(*ORDER, "--minimum-cohort", 4)
    assert ran.code == 15
    assert "refused by 1 of 4 laptops: limits (1); 4 are needed" in ran.message
    (attempt,) = ran.answer["attempts"]
    assert (attempt["state"], attempt["figures"]["refusals"]) == ("failed", {"limits": 1})
    assert attempt["figures"]["reason"] == ran.message
    assert "refused (limits): a round needs at least 50 laptops" in strict.log
    strict.stop()
    strict.command("join", "--minimum-cohort", 3).ok()
    check_ledgers(village, killed=(strict,))


def test_who_stops_or_is_forgotten_is_not_in_the_next_round(village):
    stops, stays = village.laptops[0].speakers
    forgotten = village.laptops[1].speakers[0]
    before = village.laptops[0].ledger(stops).entries
    village.laptops[0].command("contribute", stops, "--stop").ok()
    village.laptops[1].command("revoke", forgotten, "--yes").ok()
    answer = village.order(*ORDER).ok()
    (attempt,) = answer["attempts"]
    assert attempt["figures"]["refusals"] == {"nobody": 1}
    assert (attempt["figures"]["survivors"], attempt["figures"]["speakers"]) == (3, 3)
    assert [entry.plan for entry in village.laptops[0].ledger(stops).entries] == [entry.plan for entry in before]
    newest = village.laptops[0].ledger(stays).entries[-1]
    assert (newest.plan, newest.state) == (attempt["plan_sha256"], "spent")
    assert village.laptops[1].command("ledger", forgotten, "--pin-file", village.pin).code == 2
    assert all(laptop.process.poll() is None for laptop in village.laptops)
    village.laptops[0].speakers.remove(stops)
    village.laptops[1].speakers.remove(forgotten)
    check_ledgers(village, killed=(village.laptops[3],))
