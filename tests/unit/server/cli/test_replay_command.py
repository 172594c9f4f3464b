"""`hometone-coordinator replay`: what it says before it begins, that it asks, and that it can be taken up again."""

import json

import pytest
from tests.replaying_federation import REPLAY_RUN, Federation

from hometone_server.cli import replaying
from hometone_server.cli.entrance import run
from hometone_server.rounds.campaign import only_campaign
from hometone_server.rounds.journal import CampaignState
from hometone_shared.errors import FederationError


@pytest.fixture
def federation(make_village, make_order):
    """Laptop 5 was in rounds 2 and 3, which had one replay in reserve, and wishes one."""
    federation = Federation(make_village(6), make_order)
    federation.present -= {5}
    federation.round(1)
    federation.register(5)
    for k in (2, 3):
        federation.round(k, reserved_replays=1)
    federation.withdraw(5)
    return federation


@pytest.fixture
def replay(capsys, federation):
    def ask(*arguments):
        code = run(["replay", *arguments, "--json", "--home", str(federation.village.home.root)])
        return code, json.loads(capsys.readouterr().out)

    return ask


@pytest.fixture
def without_flower(monkeypatch, federation):
    """Runs are worked through in this process, among virtual laptops; everything else is the command's own."""

    def start(home, campaign):
        assert home == federation.village.home
        try:
            federation.village.runner.run(campaign, federation.exchange())
        except FederationError as error:
            federation.village.told.append(error.message)
        return 1

    monkeypatch.setattr(replaying, "start", start)


def test_a_dry_run_says_everything_and_does_nothing(federation, replay):
    size = federation.village.log.checkpoint().size
    code, said = replay("--dry-run")
    assert code == 0
    assert said["pseudonyms"] == [federation.secrets[5].pseudonym]
    assert (said["from_release"], said["newest_release"], said["withdraws"]) == (1, 3, [2, 3])
    assert [each["release"] for each in said["rounds"]] == [2, 3]
    assert [each["reserved_replays"] for each in said["rounds"]] == [1, 1]
    assert (said["laptops"], said["laptops_here"], said["survivors_before"]) == (6, None, 6)
    assert said["reserved"]
    assert said["epsilon"] > 0
    assert said["expected_seconds"] > 0
    assert federation.village.log.checkpoint().size == size
    assert len(federation.village.journal.campaigns()) == 3


def test_it_says_so_to_a_person_and_takes_no_for_an_answer(federation, capsys, monkeypatch):
    monkeypatch.setattr("typer.confirm", lambda *_args, **_kwargs: False)
    assert run(["replay", "--lang", "en", "--home", str(federation.village.home.root)]) == 2
    said = capsys.readouterr().err
    for words in ("2 rounds are repeated without 1", "from release 1 on", "3 are needed", "which the plans reserved", "minutes", "2, 3"):
        assert words in said
    assert "nothing was repeated" in said
    assert len(federation.village.journal.campaigns()) == 3


def test_without_a_yes_no_program_starts_it(replay):
    code, said = replay()
    assert (code, said["error"]["kind"]) == (2, "UsageError")
    assert "--dry-run" in said["error"]["hint"]


def test_it_does_it(federation, replay, without_flower):
    code, said = replay("--yes")
    assert code == 0
    assert said["state"] == "finished"
    assert "release 6" in said["told"]
    assert federation.releases.withdrawn() == {2, 3}
    code, said = replay("--yes")
    assert (code, said["error"]["message"]) == (2, "nobody waits for a replay")


def test_one_that_failed_is_taken_up_again(federation, replay, without_flower):
    federation.present = {0, 1}
    code, said = replay("--yes")
    assert code == 15
    assert said["state"] == "failed"
    assert federation.releases.newest().number == 3
    federation.present = {0, 1, 2, 3, 4}
    code, waiting = replay("--dry-run")
    assert (code, waiting["run"], waiting["resumes"]) == (0, said["run"], True)
    code, other = replay("--pseudonym", "0" * 32)
    assert (code, other["error"]["message"]) == (2, "another replay has not ended")
    code, again = replay("--yes")
    assert (code, again["run"], again["state"]) == (0, said["run"], "finished")
    assert federation.releases.newest().number == 6


def test_one_that_waits_for_laptops_goes_on_with_fewer_laptops(federation, replay, without_flower):
    federation.present = {0, 1}
    code, said = replay("--yes")
    assert code == 15
    code, again = replay("--yes", "--minimum-cohort", "2")
    assert (code, again["run"], again["state"]) == (0, said["run"], "finished")
    assert [each["figures"]["survivors"] for each in again["attempts"] if each["state"] == "finished"] == [2, 2]


def test_one_that_is_at_work_is_left_alone(federation, replay):
    with only_campaign(federation.village.home):
        code, said = replay("--yes")
    assert (code, said["error"]["message"]) == (15, "another campaign is running")
    assert len(federation.village.journal.campaigns()) == 3


def test_one_that_is_void_is_given_up(federation, replay, without_flower):
    federation.present = {0, 1}
    assert replay("--yes")[0] == 15
    federation.present = {0, 1, 2, 3, 4}
    federation.round(4)
    code, said = replay("--yes", "--minimum-cohort", "4")
    assert code == 0
    assert [each["release"] for each in said["rounds"]] == [2, 3, 5]
    states = {campaign.run: campaign.state for campaign in federation.village.journal.campaigns()}
    assert [state for run_, state in states.items() if int(run_, 16) > 4] == [CampaignState.STOPPED, CampaignState.FINISHED]


def test_nothing_to_repeat_is_done_at_once(federation, replay, capsys):
    federation.releases.restore(1)
    code, said = replay("--dry-run")
    assert (code, said["rounds"], said["withdraws"]) == (0, [], [2, 3])
    code, said = replay("--yes")
    assert code == 0
    assert federation.releases.withdrawn() == {2, 3}
    assert REPLAY_RUN not in {campaign.run for campaign in federation.village.journal.campaigns()}


def test_a_coordinator_that_does_not_run_is_a_failed_campaign_that_can_be_taken_up(federation, replay):
    assert replay("--yes")[0] != 0
    (campaign,) = [each for each in federation.village.journal.campaigns() if each.order.replay is not None]
    assert campaign.state is CampaignState.FAILED
    assert replay("--dry-run")[1]["run"] == campaign.run
