"""`join`, `contribute`, `ledger`, `node`: what a person sees, and what programs read."""

import datetime as dt
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from tests import plans

from hometone_client.cli.terminal import load_messages
from hometone_client.federation import flower_node, membership, node
from hometone_client.federation.ledger import PrivacyLedger
from hometone_client.federation.log_audit import PinnedLog
from hometone_client.federation.membership import Membership
from hometone_client.federation.policy import DevicePolicy
from hometone_client.federation.seen_rounds import SeenRounds
from hometone_client.jobs.queue import Job, write_job
from hometone_client.jobs.tiers import Tier
from hometone_client.speakers.consent import Purpose
from hometone_client.speakers.room import SpeakerRoom
from hometone_keys import DeviceIdentity, DeviceSecretSource, Vault
from hometone_shared.errors import FederationError
from hometone_shared.log.checkpoint import Checkpoint, log_origin
from hometone_shared.log.merkle import leaf_hash, root_of
from hometone_shared.records.canonical import canonical
from hometone_shared.records.coordinator import CoordinatorDescriptor, certificate_sha256
from hometone_shared.records.device import DeviceEntry
from hometone_shared.records.signing import Envelope

Command = Callable[..., Any]
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PLAN = plans.a_plan(attempt=2)


def home() -> Path:
    return Path(os.environ["HOMETONE_HOME"])


def opened() -> Vault:
    return Vault(home(), device_secret_source=DeviceSecretSource.from_environment())


def a_certificate() -> bytes:
    key = generate_private_key(SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "authority")])
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + dt.timedelta(days=1))
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


class _Records:
    """A log of one entry."""

    def __init__(self, entry: Envelope) -> None:
        self.entry = entry

    def checkpoint(self) -> bytes:
        root = root_of([leaf_hash(self.entry.to_bytes())])
        return Checkpoint(origin=log_origin(KEY.public_key().public_bytes_raw()), size=1, root=root).signed(KEY)

    def entries(self, first: int, last: int) -> list[Envelope]:
        assert (first, last) == (0, 0)
        return [self.entry]


def pretend_to_join(code: str, *, home: Path, identity: DeviceIdentity) -> Membership:
    """Writes what joining writes, without a coordinator."""
    authority = a_certificate()
    descriptor = CoordinatorDescriptor(
        address="192.0.2.7:8443", bundle_sha256="ee" * 32, ca_sha256=certificate_sha256(authority), name="Village hall"
    )
    entry = DeviceEntry.of(signing_key=identity.public_signing_key(), node_key=identity.public_node_key()).signed(KEY)
    document = {
        "authority": authority.decode(),
        "descriptor": descriptor.signed(KEY).to_document(),
        "entry": entry.to_document(),
    }
    (home / "federation").mkdir(parents=True, exist_ok=True)
    PinnedLog(home / "federation", coordinator_key=KEY.public_key().public_bytes_raw()).update(_Records(entry))  # type: ignore[arg-type]
    (home / "federation" / "coordinator.json").write_bytes(canonical(document))
    found = Membership.load(home)
    assert found is not None
    return found


@pytest.fixture
def joined(hometone: Command, mei: str, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.setattr(membership, "join", pretend_to_join)
    assert hometone("join", "HT1-ABC").code == 0
    return hometone


def test_joining_pins_and_sets_the_limit(joined: Command) -> None:
    ran = joined("join", "--minimum-cohort", 9, "--json")
    assert ran.code == 0
    assert ran.answer["coordinator"] == "Village hall"
    assert ran.answer["limits"]["minimum_cohort"] == 9
    assert DevicePolicy.load(home() / "federation").minimum_cohort == 9
    (home() / "federation" / "policy.json").write_bytes(b"damaged")
    assert joined("node", "--status").code == 15
    assert joined("join", "--minimum-cohort", 3).code == 0
    assert "at least 3 laptops" in joined("doctor", "--no-assemble").out


def test_joining_needs_a_code(hometone: Command) -> None:
    assert hometone("join").code == 2
    assert hometone("join", "--minimum-cohort", 3).code == 2
    assert hometone("join", "HT1-NONSENSE").code == 14


def test_contributing_stores_consent_budget_and_permission(hometone: Command, mei: str, pin_file: Path) -> None:
    ran = hometone("contribute", mei, "--budget", 4, "--pin-file", pin_file, "--yes", "--json")
    assert ran.code == 0
    answer = ran.answer
    assert answer["contributes"] is True
    assert answer["budget"] == {"epsilon": 4.0, "delta": 1e-5}
    assert (answer["spent_epsilon"], answer["left_epsilon"], answer["takes"]) == (0.0, 4.0, 0)
    with opened() as vault:
        assert vault.find(mei).work_allowed
    again = hometone("contribute", mei, "--pin-file", pin_file, "--yes", "--json").answer
    assert again["budget"]["epsilon"] == 4.0, "her own bound stays when none is given"


def test_the_text_is_shown_and_silence_is_no_consent(hometone: Command, mei: str, pin_file: Path) -> None:
    ran = hometone("contribute", mei, "--pin-file", pin_file)
    assert ran.code == 2
    assert "What leaves this computer" in ran.err
    with opened() as vault:
        assert not vault.find(mei).work_allowed


@pytest.mark.parametrize("budget", ["0", "-1", "101", "nan"])
def test_a_budget_that_makes_no_sense_stores_nothing(hometone: Command, mei: str, pin_file: Path, budget: str) -> None:
    assert hometone("contribute", mei, f"--budget={budget}", "--pin-file", pin_file, "--yes").code == 2
    with opened() as vault:
        assert not vault.find(mei).work_allowed
        with SpeakerRoom(vault.unlock(vault.find(mei).speaker_id, "1234")) as room:
            assert room.consent(Purpose.FEDERATED) is None


def test_a_wrong_pin_changes_nothing(hometone: Command, mei: str, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.txt"
    wrong.write_text("9999", encoding="utf-8")
    assert hometone("contribute", mei, "--pin-file", wrong, "--yes").code == 5


def test_stopping_needs_no_pin_and_ends_the_permission(hometone: Command, mei: str, pin_file: Path) -> None:
    assert hometone("contribute", mei, "--pin-file", pin_file, "--yes").code == 0
    ran = hometone("contribute", mei, "--stop", "--json")
    assert (ran.code, ran.answer["contributes"], ran.answer["had_consent"]) == (0, False, True)
    with opened() as vault:
        assert not vault.find(mei).work_allowed
    assert hometone("contribute", mei, "--stop").code == 2, "nothing allows this computer to open her things any more"
    assert hometone("contribute", mei, "--stop", "--pin-file", pin_file, "--json").answer["had_consent"] is False


def test_stopping_leaves_a_job_in_the_queue_and_the_queue_leaves_the_contribution(hometone: Command, mei: str, pin_file: Path) -> None:
    assert hometone("contribute", mei, "--pin-file", pin_file, "--yes").code == 0
    with opened() as vault, SpeakerRoom(vault.unlock_for_work(vault.find(mei).speaker_id)) as room:
        write_job(room, Job(tier=Tier.QUICK, added="2026-01-01"))
    assert hometone("queue", "remove", mei).code == 0
    with opened() as vault:
        assert vault.find(mei).work_allowed, "she still contributes"
        with SpeakerRoom(vault.unlock_for_work(vault.find(mei).speaker_id)) as room:
            write_job(room, Job(tier=Tier.QUICK, added="2026-01-01"))
    assert hometone("contribute", mei, "--stop").code == 0
    with opened() as vault:
        assert vault.find(mei).work_allowed, "the job still waits"
    assert hometone("queue", "remove", mei).code == 0
    with opened() as vault:
        assert not vault.find(mei).work_allowed


def spend(name: str) -> None:
    with opened() as vault, vault.unlock(vault.find(name).speaker_id, "1234") as unlocked:
        ledger = PrivacyLedger(unlocked)
        ledger.reserve(PLAN, digest="ab" * 32)
        ledger.spend("ab" * 32)


def test_the_ledger_shows_what_was_spent(hometone: Command, mei: str, pin_file: Path) -> None:
    assert hometone("ledger", mei, "--pin-file", pin_file, "--json").answer["budget"] is None
    assert "no privacy budget" in hometone("ledger", mei, "--pin-file", pin_file).out
    hometone("contribute", mei, "--pin-file", pin_file, "--yes")
    spend(mei)
    answer = hometone("ledger", mei, "--pin-file", pin_file, "--json").answer
    (entry,) = answer["entries"]
    assert (entry["plan"], entry["round"], entry["attempt"], entry["state"], entry["purpose"]) == ("ab" * 32, 1, 2, "spent", "model")
    assert 2.7 < answer["spent_epsilon"] < 2.9  # Balle and Wang 2018 for z = 1.5 at delta 1e-5: 2.81
    assert answer["left_epsilon"] == pytest.approx(8.0 - answer["spent_epsilon"])
    shown = hometone("ledger", mei, "--pin-file", pin_file).out
    assert "0123456789abcdef 1.2" in shown
    assert "of 8" in shown
    assert "已用" in hometone("--lang", "zh", "ledger", mei, "--pin-file", pin_file).out
    assert hometone("ledger", mei).code == 2, "the account is hers: it takes the PIN"


def test_revoking_takes_the_ledger_with_it(hometone: Command, mei: str, pin_file: Path) -> None:
    hometone("contribute", mei, "--pin-file", pin_file, "--yes")
    spend(mei)
    assert hometone("revoke", mei, "--pin-file", pin_file, "--yes").code == 0
    assert hometone("ledger", mei, "--pin-file", pin_file).code == 2


def test_a_node_needs_a_coordinator(hometone: Command, mei: str) -> None:
    ran = hometone("node")
    assert ran.code == 2
    assert "hometone join" in ran.err


def test_the_status_opens_no_connection(joined: Command, mei: str, pin_file: Path) -> None:
    joined("contribute", mei, "--pin-file", pin_file, "--yes")
    with opened() as vault, SpeakerRoom(vault.unlock(vault.find(mei).speaker_id, "1234")) as room:
        room.vault.put("take", "take-0001", b"x")
    spend(mei)
    seen = SeenRounds(home() / "federation")
    seen.record(PLAN, digest="ab" * 32)
    seen.note_outcome("ab" * 32, "finished")
    answer = joined("node", "--status", "--json").answer
    assert answer["address"] == "192.0.2.7:8443"
    assert [row["speaker"] for row in answer["speakers"]] == ["mei"]
    assert answer["rounds"][0]["outcome"] == "finished"
    shown = joined("node", "--status").out
    assert "mei contributes" in shown
    assert "finished" in shown


class _Ending:
    """A node that has done what the test says."""

    def __init__(self, *ended: node.Ended) -> None:
        self.ended = ended


class _Connection:
    """Takes what the command gives it."""

    def __init__(self, *, address: str, authority_pem: bytes, node_key: object, number_file: Path) -> None:
        assert address == "192.0.2.7:8443"
        assert number_file == home() / "federation" / "flower-number"
        assert b"BEGIN CERTIFICATE" in authority_pem
        assert node_key is not None


@pytest.mark.parametrize(
    ("outcome", "code"),
    [("finished", 0), ("budget", 13), ("nobody", 3), ("consent", 3), ("limits", 15), ("expired", 15), ("contributed", 15), ("failed", 15)],
)
def test_once_says_by_its_exit_code_how_the_round_ended(joined: Command, monkeypatch: pytest.MonkeyPatch, outcome: str, code: int) -> None:
    ending = _Ending(node.Ended(outcome, "" if outcome == "finished" else "because"))
    monkeypatch.setattr(node, "node_of", lambda *_, **__: ending)
    monkeypatch.setattr(flower_node, "NodeConnection", _Connection)
    monkeypatch.setattr(node, "serve_rounds", lambda *_, told, **__: told("connected"))
    ran = joined("node", "--once", "--json")
    assert ran.code == code
    assert ran.answer["rounds"] == [{"outcome": outcome, "message": "" if outcome == "finished" else "because"}]
    assert joined("node").code == 0, "without --once a round that ended badly is no failure of the command"


@pytest.mark.parametrize(("line", "code"), [(("node",), 0), (("node", "--once"), 130)])
def test_ctrl_c_is_how_a_node_is_stopped(joined: Command, monkeypatch: pytest.MonkeyPatch, line: tuple[str, ...], code: int) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(node, "node_of", lambda *_, **__: _Ending())
    monkeypatch.setattr(flower_node, "NodeConnection", _Connection)
    monkeypatch.setattr(node, "serve_rounds", interrupted)
    assert joined(*line).code == code


def test_a_coordinator_that_is_away_is_said_plainly(joined: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object, **__: object) -> None:
        raise FederationError("the coordinator cannot be reached", hint="is this laptop on the network?")

    monkeypatch.setattr(node, "node_of", lambda *_, **__: _Ending())
    monkeypatch.setattr(flower_node, "NodeConnection", _Connection)
    monkeypatch.setattr(node, "serve_rounds", away)
    ran = joined("node")
    assert ran.code == 15
    assert "cannot be reached" in ran.err


class Screen(io.StringIO):
    """What somebody watches; a file is the same without `watched`."""

    def __init__(self, *, watched: bool) -> None:
        super().__init__()
        self._watched = watched

    def isatty(self) -> bool:
        return self._watched


@pytest.mark.parametrize("watched", [True, False])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_everything_that_happens_in_a_round_has_words_and_names_nobody_in_a_file(language: Any, watched: bool) -> None:
    from hometone_client.cli.federation import Narrator
    from hometone_client.cli.terminal import Terminal

    screen = Screen(watched=watched)
    narrator = Narrator(Terminal(language=language, stderr=screen))
    events: list[tuple[str, dict[str, Any]]] = [
        ("accepted", {"plan": PLAN}),
        ("preparing", {"speaker": "mei"}),
        ("left-out", {"speaker": "otto", "why": "too little speech"}),
        ("roster", {"devices": 7}),
        ("contributed", {"speakers": ["mei", "anna"]}),
        ("finished", {}),
        ("expired", {}),
        ("refused", {"code": "limits", "message": "too little noise", "hint": "ask the coordinator"}),
    ]
    for event, values in events:
        narrator.event(event, values)
    for word in ("connected", "lost", "reconnected"):
        narrator.connection(word)
    narrator._last_s -= 20.0
    narrator.progress(0.5)
    narrator.progress(0.6)
    shown = screen.getvalue()
    assert len(shown.splitlines()) == len(events) + 3 + 1 + 1
    for part in ("7", "limits", "50%"):
        assert part in shown
    for name in ("mei", "otto", "anna"):
        assert (name in shown) is watched


def test_messages_are_there_in_both_languages() -> None:
    for key, words in load_messages().items():
        assert set(words) == {"en", "zh"}, key
