"""`withdrawals` and `witnesses`: what is shown of each withdrawal, and whose word on the log is taken."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hometone_server.cli.entrance import run
from hometone_server.records.cosignatures import Cosignatures
from hometone_server.withdrawal.taking import Withdrawals
from hometone_shared.log.cosignature import WitnessKey, cosign
from hometone_shared.records.device import device_id
from hometone_shared.records.holding import holder_proof
from hometone_shared.records.purposes import Purpose
from hometone_shared.records.receipt import HolderReceipt, Removed, Role
from hometone_shared.records.registration import RegistrationRequest
from hometone_shared.records.tombstone import Tombstone, coordinator_name
from hometone_shared.withdrawal.recovery import RecoverySecret


@pytest.fixture
def answer(capsys, home):
    def ask(*arguments: str) -> tuple[int, dict]:
        code = run([*arguments, "--json", "--home", str(home.root)])
        return code, json.loads(capsys.readouterr().out)

    return ask


@pytest.fixture
def gone(make_village):
    """Two who have withdrawn; of the first, her laptop has answered."""
    village = make_village(2)
    withdrawals = Withdrawals.open(village.home, village.log)
    secrets = [RecoverySecret.generate() for _ in range(2)]
    for laptop, secret in zip(village.laptops, secrets, strict=True):
        key = laptop.signing_key
        withdrawals.register(RegistrationRequest.make(coordinator_key=village.log.key, secret=secret, device_key=key))
        tombstone = Tombstone(
            pseudonym=secret.pseudonym, coordinator=coordinator_name(village.log.key), scope=frozenset(Purpose), sequence=1, made=1
        )
        filed = withdrawals.take(tombstone.signed(secret.withdrawal_key()))
        if secret is secrets[0]:
            receipt = HolderReceipt(
                tombstone_sha256=filed.digest,
                pseudonym=secret.pseudonym,
                role=Role.LAPTOP,
                at=9,
                removed={Removed.RECORDINGS: 12},
                holder=holder_proof(secret.withdrawal_key(), role=Role.LAPTOP, device=device_id(key.public_key().public_bytes_raw())),
            )
            withdrawals.file(receipt.signed(key))
    return [secret.pseudonym for secret in secrets], device_id(village.laptops[0].signing_key.public_key().public_bytes_raw())


def test_the_list_says_who_has_answered_and_what_is_waited_for(gone, answer):
    (first, second), device = gone
    code, said = answer("withdrawals")
    assert code == 0
    assert said["files_emptied"] is True
    assert [each["pseudonym"] for each in said["withdrawals"]] == [first, second]
    done, open_ = said["withdrawals"]
    assert (done["done"], done["pending"]) == (True, [])
    assert [(each["device"], each["role"], each["removed"]) for each in done["answers"]] == [(device, "laptop", {"recordings": 12})]
    assert (open_["done"], open_["answers"]) == (False, [])
    assert [item["what"] for item in open_["pending"]] == ["laptop"]
    assert open_["pending"][0]["until"] == open_["received"] + 30 * 86_400
    assert open_["shared_model"]["treatment"] == "none"
    assert answer("withdrawals", "list")[1] == said


def test_one_is_shown_alone(gone, answer):
    (first, _), _ = gone
    assert [each["pseudonym"] for each in answer("withdrawals", "show", first)[1]["withdrawals"]] == [first]
    assert answer("withdrawals", "show", "ab" * 16)[0] == 2
    assert answer("withdrawals", "show")[0] == 2
    assert answer("withdrawals", "list", first)[0] == 2


@pytest.mark.parametrize("language", ["en", "zh"])
def test_people_can_read_it(gone, home, capsys, language):
    (first, second), device = gone
    for arguments in (["withdrawals"], ["withdrawals", "show", first], ["withdrawals", "show", second], ["witnesses"]):
        assert run([*arguments, "--home", str(home.root), "--lang", language]) == 0
    out = capsys.readouterr().out
    assert device in out
    assert ("laptop" if language == "en" else "笔记本") in out
    assert any(line.startswith(f"{first} ") for line in out.splitlines()), "whole, because `show` asks for it"


def test_witnesses_are_named_and_forgotten(home, make_village, answer, capsys):
    village = make_village(1)
    key = Ed25519PrivateKey.generate()
    text = WitnessKey("library.example/w", key.public_key().public_bytes_raw()).text()
    assert answer("witnesses", "--trust", "nonsense")[0] == 2
    assert answer("witnesses", "--trust", text)[1]["named"] == [text]
    kept = Cosignatures(village.log)
    kept.take(cosign(kept.newest_head(), key=key, name="library.example/w", time_s=1000))
    said = answer("witnesses")[1]
    assert said["seen"] == [{"name": "library.example/w", "size": said["size"]}]
    assert run(["witnesses", "--home", str(home.root)]) == 0
    assert "library.example/w" in capsys.readouterr().out
    assert answer("witnesses", "--forget", "library.example/w")[1] == {**said, "named": [], "seen": []}
    assert answer("witnesses", "--forget", "library.example/w")[0] == 2
