"""The coordinator's command: what it answers, with and without --json, and how it fails."""

import json

import pytest

from hometone_server.cli.entrance import run
from hometone_server.home import CoordinatorHome
from hometone_server.rounds.journal import Journal
from hometone_shared.invitation import Invitation


@pytest.fixture
def answer(capsys):
    def ask(*arguments: str) -> tuple[int, dict]:
        code = run([*arguments, "--json"])
        return code, json.loads(capsys.readouterr().out)

    return ask


def test_init_makes_a_coordinator_that_only_its_owner_can_read(tmp_path, answer):
    root = tmp_path / "house"
    code, said = answer("init", "村", "--address", "192.168.1.20:8443", "--home", str(root))
    assert code == 0
    assert said["name"] == "村"
    home = CoordinatorHome(root)
    assert home.exists
    assert home.key_file.stat().st_mode & 0o077 == 0
    assert b"PRIVATE KEY" not in home.records_db.read_bytes()


def test_init_twice_is_refused_and_changes_nothing(home, answer):
    before = home.descriptor.read_bytes()
    code, said = answer("init", "Other", "--address", "127.0.0.1:1", "--home", str(home.root))
    assert (code, said["error"]["kind"]) == (2, "UsageError")
    assert home.descriptor.read_bytes() == before


@pytest.mark.parametrize("address", ["nowhere", "host:", ":80", "host:0", "host:65536", "host:port"])
def test_init_refuses_what_is_no_address(tmp_path, answer, address):
    code, said = answer("init", "Hall", "--address", address, "--home", str(tmp_path / "h"))
    assert code == 2
    assert said["error"]["hint"]
    assert not (tmp_path / "h").exists() or not CoordinatorHome(tmp_path / "h").exists


def test_a_sealed_key_needs_its_passphrase(tmp_path, answer, monkeypatch):
    monkeypatch.setenv("HOMETONE_COORDINATOR_PASSPHRASE", "long and good")
    root = str(tmp_path / "h")
    assert answer("init", "Hall", "--address", "127.0.0.1:8443", "--home", root)[0] == 0
    assert answer("status", "--home", root)[0] == 0
    monkeypatch.setenv("HOMETONE_COORDINATOR_PASSPHRASE", "another")
    code, said = answer("status", "--home", root)
    assert (code, said["error"]["kind"]) == (5, "WrongSecretError")


def test_open_invitations_are_taken_back(home, answer):
    answer("invite", "--count", "2", "--home", str(home.root))
    _, said = answer("invite", "--take-back", "--home", str(home.root))
    assert said["taken_back"] == 2
    _, said = answer("status", "--home", str(home.root))
    assert said["open_invitations"] == 0


def test_invite_prints_codes_that_lead_here(home, answer):
    code, said = answer("invite", "--count", "3", "--home", str(home.root))
    assert code == 0
    invitations = [Invitation.from_text(text) for text in said["codes"]]
    assert {each.address for each in invitations} == {"127.0.0.1:8443"}
    assert len({each.token for each in invitations}) == 3
    assert answer("status", "--home", str(home.root))[1]["open_invitations"] == 3


def test_without_a_coordinator_every_command_says_what_to_do(tmp_path, answer):
    for command in (["invite"], ["status"], ["log"], ["releases"], ["devices"], ["round"], ["serve"]):
        code, said = answer(*command, "--home", str(tmp_path / "nothing"))
        assert code == 2
        assert "init" in said["error"]["hint"]


def test_plan_gives_dimension_noise_ratio_and_cost(answer):
    code, said = answer("plan", "--speakers", "127", "--rounds", "10", "--epsilon", "4")
    assert code == 0
    assert 1000 < said["dimension"] < 1500
    assert said["noise_to_signal"] == pytest.approx(1.5, abs=0.01)
    assert said["epsilon_after_rounds"][-1] == pytest.approx(4.0, abs=0.02)
    assert said["epsilon_per_round"] < 4.0


def test_a_plan_that_learns_noise_says_so(capsys):
    assert run(["plan", "--speakers", "5", "--rounds", "10", "--epsilon", "1", "--dimension", "1000"]) == 0
    assert "noise" in capsys.readouterr().err


def test_simulate_checks_every_sum(answer):
    code, said = answer("simulate", "--laptops", "3", "--laptops", "12", "--dimension", "50", "--dropouts", "0.2")
    assert code == 0
    assert [each["laptops"] for each in said["results"]] == [3, 12]
    assert [each["survivors"] <= each["laptops"] for each in said["results"]] == [True, True]
    assert all(each["exact"] for each in said["results"])


def test_the_log_verifies_and_a_changed_entry_is_noticed(home, answer):
    code, said = answer("log", "--verify", "--home", str(home.root))
    assert code == 0
    assert said["entries"][0]["type"] == "hometone/release/v1"
    import sqlite3

    with sqlite3.connect(home.records_db) as database:
        database.execute("UPDATE entries SET envelope = CAST(replace(CAST(envelope AS TEXT), 'a', 'b') AS BLOB)")
    database.close()
    assert answer("log", "--verify", "--home", str(home.root))[0] != 0


def test_a_restored_release_is_a_new_one(home, make_village, make_order, answer):
    import numpy as np

    village = make_village(3)
    village.journal.add_campaign("0" * 16, make_order(rounds=1))
    village.runner.run("0" * 16, village.exchange(lambda _number: np.ones(6) / 3))
    code, said = answer("releases", "--restore", "0", "--home", str(home.root))
    assert code == 0
    assert said["restored"] == 2
    assert [each["restores"] for each in said["releases"]] == [None, None, 0]
    assert answer("releases", "--restore", "9", "--home", str(home.root))[0] == 2


def test_status_shows_rounds_and_no_device(home, make_village, make_order, answer, capsys):
    import numpy as np

    village = make_village(3)
    village.journal.add_campaign("0" * 16, make_order(rounds=1))
    village.runner.run("0" * 16, village.exchange(lambda _number: np.ones(6) / 3))
    _, said = answer("status", "--home", str(home.root))
    assert said["attempts"][0]["figures"]["survivors"] == 3
    assert said["laptops"] == 3
    text = json.dumps(said)
    assert not any(laptop.device in text for laptop in village.laptops)
    assert run(["status", "--home", str(home.root)]) == 0
    assert "model" in capsys.readouterr().out


def test_a_round_without_a_running_coordinator_fails_and_can_be_resumed(home, answer):
    code, said = answer("round", "--home", str(home.root), "--minimum-cohort", "3", "--speakers", "6")
    assert code == 15
    assert "serve" in said["error"]["hint"]
    journal = Journal(home.rounds_db)
    assert journal.attempts() == ()
    (campaign,) = journal.campaigns()
    assert campaign.state.value == "failed"
    journal.close()


@pytest.mark.parametrize(
    "line",
    [
        ["round", "--purpose", "balance", "--dimension", "3"],
        ["round", "--purpose", "balance", "--weights"],
        ["round", "--resume", "0" * 16],
        ["round", "--purpose", "gossip"],
        ["round", "--minimum-cohort", "1"],
        ["round", "--epsilon", "-1"],
        ["log", "--count", "0"],
        ["sing"],
        ["--lang", "fr", "status"],
    ],
)
def test_lines_that_make_no_sense(home, answer, line):
    code, said = answer(*line, "--home", str(home.root))
    assert code == 2
    assert said["ok"] is False


def test_messages_are_in_both_languages_and_take_the_same_values():
    import string

    from hometone_server.cli.terminal import messages

    for key, words in messages().items():
        fields = [{name for _, name, _, _ in string.Formatter().parse(words[language]) if name} for language in ("en", "zh")]
        assert fields[0] == fields[1], key


def test_help_runs(capsys):
    assert run(["--help"]) == 0
    assert "invite" in capsys.readouterr().out


def test_errors_are_told_in_chinese_and_stay_english_for_programs(tmp_path, answer, capsys):
    assert run(["--lang", "zh", "status", "--home", str(tmp_path / "nowhere")]) != 0
    said = capsys.readouterr().err
    assert "这个文件夹里没有协调方" in said
    assert "hint: 请建立一个：hometone-coordinator init" in said
    _, said = answer("--lang", "zh", "status", "--home", str(tmp_path / "nowhere"))
    assert said["error"]["message"] == "there is no coordinator in this folder"
