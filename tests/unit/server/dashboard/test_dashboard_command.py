"""`hometone-coordinator dashboard`, its access key, and what witnesses say."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hometone_server.cli import entrance
from hometone_server.dashboard.access_key import is_access_key
from hometone_server.records.cosignatures import Cosignatures
from hometone_shared.errors import ProtocolError
from hometone_shared.log.cosignature import WitnessKey, cosign

NOW = 1_790_000_000


def test_a_new_key_is_shown_once_and_nothing_is_served(home, capsys):
    assert entrance.run(["--home", str(home.root), "--json", "dashboard", "--new-key"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert is_access_key(home, answer["key"])
    assert entrance.run(["--home", str(home.root), "dashboard", "--new-key"]) == 0
    shown = capsys.readouterr()
    assert is_access_key(home, shown.out.strip())
    assert not is_access_key(home, answer["key"])
    assert "shown this once" in shown.err


def test_there_has_to_be_a_coordinator(tmp_path, capsys):
    assert entrance.run(["--home", str(tmp_path / "none"), "dashboard", "--new-key"]) == 2
    assert "no coordinator" in capsys.readouterr().err


@pytest.fixture
def witnessed(office):
    """A log with one named witness; gives its key and what it does."""
    key = Ed25519PrivateKey.generate()
    witness = WitnessKey("example.org/witness", key.public_key().public_bytes_raw())
    Cosignatures(office.log).trust(witness.text())
    return lambda at: Cosignatures(office.log).take(cosign(office.log.head(), name=witness.name, key=key, time_s=at))


def test_a_witness_that_never_came_or_is_late_is_pointed_out(browser, office, witnessed):
    assert "has not seen the log yet" in browser.look("/")
    witnessed(NOW)
    office.wall = lambda: NOW + 60.0
    assert "example.org/witness" not in browser.look("/")
    office.wall = lambda: NOW + 100_000.0
    assert "has said nothing for more than a day" in browser.look("/")
    assert "example.org/witness" in browser.look("/log")
    assert "add up to the signed head" in browser.act("/log/check")


def test_a_log_that_is_not_what_a_witness_signed_is_told_so(browser, office, witnessed):
    witnessed(NOW)
    kept = Cosignatures(office.log)
    with office.log.writing() as change:
        change.execute("UPDATE cosignatures SET line = replace(line, 'A', 'B')")
    with pytest.raises(ProtocolError):
        kept.verify()
    assert 'role="alert"' in browser.act("/log/check")
