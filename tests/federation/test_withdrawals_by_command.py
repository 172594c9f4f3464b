"""Withdrawals by the real commands over TLS: from another laptop with the code on paper, and a log that a witness watches."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.village import Laptop, Village, free_port, together, write_name_of_base

pytestmark = pytest.mark.federation


@pytest.fixture
def village(tmp_path: Path) -> Iterator[Village]:
    with Village(tmp_path, port=free_port(), models=write_name_of_base(tmp_path / "models")) as village:
        village.found()
        yield village


def test_the_code_on_paper_reaches_her_laptop(village: Village, tmp_path: Path) -> None:
    hers, other = village.laptop("hers"), village.laptop("other")
    hers.enrol("mei")
    other.enrol("hua")
    village.settle(hers, other, minimum_cohort=2)
    assert [each.ok()["registered"] for each in together(lambda: hers.command("sync"), lambda: other.command("sync"))] == [1, 1]
    sheet = hers.command("recovery", "mei", "--pin-file", village.pin).ok()
    assert sheet["address"] == village.address
    key = village.run("hometone_client.cli", tmp_path / "w", "witness", "key").ok()["key"]
    stranger = Laptop(village, "stranger")
    place = ("--at", village.address, "--fingerprint", sheet["fingerprint"])

    withdrawn = stranger.command("withdraw", "--code", sheet["code"], *place, "--yes", "--bundle", tmp_path / "early.json").ok()
    assert (withdrawn["delivered"], withdrawn["here"]) == (True, False)
    assert not stranger.command("receipt", "verify", tmp_path / "early.json").ok()["complete"]
    synced = hers.command("sync").ok()
    assert (synced["erased"], synced["filed"]) == (1, 1)
    assert hers.command("voices").ok()["voices"] == []

    seen = village.run("hometone_client.cli", tmp_path / "w", "witness", "run", "--once", *place).ok()
    assert seen["looks"] == 1
    fetched = stranger.command("receipt", "fetch", "--file", tmp_path / "early.json", "--out", tmp_path / "late.json", *place).ok()
    assert {answer["role"] for answer in fetched["answers"]} == {"coordinator", "laptop"}
    checks = ("--coordinator-key", fetched["coordinator_key"], "--witness-key", key)
    assert stranger.command("receipt", "verify", tmp_path / "late.json", *checks).ok()["witnessed"]
    other.command("witness", "trust", key).ok()
    assert other.command("sync").ok()["log_size"] == seen["log_size"]

    again, refused = together(
        lambda: stranger.command("withdraw", "--code", sheet["code"], *place, "--yes"),
        lambda: stranger.command("withdraw", "--code", sheet["code"], "--at", village.address, "--fingerprint", "0" * 32, "--yes"),
    )
    assert again.code == 0
    assert refused.code == 14


def test_revoking_while_the_coordinator_is_away(village: Village) -> None:
    laptop = village.laptop("hers")
    laptop.enrol("mei")
    village.settle(laptop, minimum_cohort=2)
    laptop.command("sync").ok()
    village.service.terminate()
    village.service.wait(60)
    told = laptop.command("revoke", "mei", "--yes").ok()["withdrawal"]
    assert (told["joined"], told["delivered"]) == (True, False)
    assert told["waiting"]
    assert laptop.command("voices").ok()["voices"] == []
    assert laptop.command("sync").code == 15
