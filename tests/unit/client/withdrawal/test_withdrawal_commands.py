"""`revoke --scope`, `withdraw`, `recovery`, `sync`, `receipt`, `witness`: what a person sees, and what programs read."""

import os
import re
from pathlib import Path

import pytest
from tests.unit.client.cli.conftest import hometone, mei, pin_file  # noqa: F401 - fixtures

from hometone_client.federation.witnesses import TrustedWitnesses
from hometone_client.withdrawal.outbox import Outbox
from hometone_shared.withdrawal.recovery import RecoverySecret


def home() -> Path:
    return Path(os.environ["HOMETONE_HOME"])


def test_revoking_writes_a_receipt_that_verifies(hometone, mei, pin_file, tmp_path):  # noqa: F811
    bundle, page = tmp_path / "bundle.json", tmp_path / "receipt.html"
    ran = hometone("--json", "revoke", mei, "--pin-file", pin_file, "--yes", "--bundle", bundle)
    assert ran.code == 0, ran.out
    told = ran.answer["withdrawal"]
    assert (told["joined"], told["delivered"], told["waiting"]) == (False, False, None)
    assert len(told["pseudonym"]) == 32
    ran = hometone("--json", "receipt", "verify", bundle)
    assert ran.code == 0, ran.out
    assert ran.answer["complete"]
    assert ran.answer["answers"][0]["key_destroyed"]
    ran = hometone("--lang", "zh", "receipt", "show", bundle, "--print", page)
    assert ran.code == 0
    assert "没有尚待完成的事项" in ran.out
    text = page.read_text(encoding="utf-8")
    assert told["pseudonym"] in text
    assert "<script" not in text
    assert hometone("--json", "receipt", "verify", bundle, "--coordinator-key", "00" * 32).code == 14
    data = bytearray(bundle.read_bytes())
    for at in range(5, len(data), 97):
        data[at] ^= 1
        bundle.write_bytes(data)
        assert hometone("--json", "receipt", "verify", bundle).code == 14
        data[at] ^= 1
    bundle.unlink()
    assert hometone("--json", "receipt", "verify", bundle).code == 2


def test_ending_one_purpose(hometone, mei, pin_file):  # noqa: F811
    assert hometone("contribute", mei, "--pin-file", pin_file, "--yes").code == 0
    ran = hometone("--json", "revoke", mei, "--scope", "federated-learning", "--yes")
    assert ran.code == 0, ran.out
    assert ran.answer["ended"] == ["federated-learning"]
    assert ran.answer["removed"]["records"] == 1
    ran = hometone("--json", "contribute", mei, "--pin-file", pin_file, "--yes")
    assert (ran.code, ran.answer["error"]["kind"]) == (3, "ConsentError")
    assert [voice["id"] for voice in hometone("--json", "voices").answer["voices"]] == [mei]
    assert hometone("--json", "revoke", mei, "--scope", "everything", "--yes").code == 2
    ran = hometone("--json", "revoke", mei, "--yes")
    assert ran.code == 0, ran.out
    assert len(Outbox(home()).items()) == 2


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_sheet_and_what_it_does(hometone, mei, pin_file, tmp_path, language):  # noqa: F811
    sheet = tmp_path / "sheet.html"
    shown = hometone("--json", "recovery", mei, "--pin-file", pin_file).answer
    secret = RecoverySecret.from_text(shown["code"])
    assert {RecoverySecret.from_text(words) for words in shown["words"].values()} == {secret}
    ran = hometone("--json", "--lang", language, "recovery", mei, "--pin-file", pin_file, "--out", sheet)
    assert secret.code() not in ran.out
    text = sheet.read_text(encoding="utf-8")
    assert secret.code() in text
    assert re.findall(r"<li>(.*?)</li>", text) == [*secret.words("en").split(), *secret.words("zh").split()]
    assert "<svg" in text
    assert f"hometone withdraw --code {secret.code()}" in text, "a line that can be copied"
    assert "<script" not in text
    wrong = tmp_path / "wrong.txt"
    wrong.write_text("9999\n")
    assert hometone("--json", "recovery", mei, "--pin-file", wrong).code == 5
    mistaken = secret.code()[:-1] + ("1" if secret.code().endswith("0") else "0")
    assert hometone("--json", "withdraw", "--code", mistaken, "--yes").code == 14
    assert hometone("--json", "withdraw", "--code", secret.code()).code == 2
    assert hometone("--json", "withdraw", "--yes").code == 2
    ran = hometone("--json", "withdraw", "--words", secret.words(language), "--yes")
    assert ran.code == 0, ran.out
    assert ran.answer["here"]
    assert hometone("--json", "voices").answer["voices"] == []


def test_without_a_coordinator(hometone, mei):  # noqa: F811
    assert hometone("--json", "sync").code == 2
    code = RecoverySecret.generate().code()
    assert hometone("--json", "withdraw", "--code", code, "--yes").code == 2
    assert hometone("--json", "withdraw", "--code", code, "--yes", "--at", "a.example:1").code == 2
    assert hometone("--json", "receipt", "fetch", "--pseudonym", "0" * 32).code == 2
    assert hometone("--json", "receipt", "fetch").code == 2
    assert hometone("--json", "witness", "run", "--once").code == 2


def test_trusting_a_witness(hometone):  # noqa: F811
    key = hometone("--json", "witness", "key", "--name", "w1").answer["key"]
    assert hometone("--json", "witness", "key").answer["key"] == key
    assert hometone("--json", "witness", "trust", key).answer["witnesses"] == [key]
    assert TrustedWitnesses.load(home() / "federation").witnesses[0].text() == key
    assert hometone("--json", "witness", "trust", key[:-3]).code == 14
    assert hometone("--json", "witness", "distrust", key).answer["witnesses"] == []
