"""Joining with a code against the real gateway: what is sent, what is checked, what a stranger in between can do, and what is kept."""

import httpx
import pytest

from hometone_client.federation.membership import Membership, join
from hometone_keys import DeviceIdentity
from hometone_server.records.devices import Devices
from hometone_shared.errors import DamagedVaultError, FederationError, ProtocolError, StorageError, UsageError
from hometone_shared.invitation import Invitation
from hometone_shared.records.canonical import b64, canonical, parse
from hometone_shared.records.device import DeviceEntry
from hometone_shared.records.signing import Envelope


@pytest.fixture
def home(tmp_path):
    return tmp_path / "laptop"


@pytest.fixture
def code(coordinator):
    return coordinator.invitations.issue(address=coordinator.descriptor.address).to_text()


@pytest.fixture
def attempt(coordinator, home, identity, code):
    def run(text=None, *, who=None, where=None, via=None):
        return join(text or code, home=where or home, identity=who or identity, transport=via or coordinator.bridge)

    return run


def test_joining(coordinator, attempt, home, identity):
    coordinator.grow(1, 2, 3)
    membership = attempt()
    assert membership.descriptor == coordinator.descriptor
    assert membership.coordinator_key == coordinator.raw_key
    assert membership.authority_pem == coordinator.authority
    assert membership.entry == DeviceEntry.of(signing_key=identity.public_signing_key(), node_key=identity.public_node_key())
    assert membership.device in Devices(coordinator.log).directory().active
    assert coordinator.registered == [identity.public_node_key()]
    assert Membership.load(home) == membership
    log = membership.log()
    assert log.head == coordinator.log.checkpoint()
    with membership.records(transport=coordinator.bridge) as records:
        log.update(records)
    assert log.directory().active == {membership.device: identity.public_signing_key()}


def test_a_typed_code_is_enough(attempt, code):
    assert attempt(code.lower().replace("-", " ").replace("0", "o"))


def test_nothing_but_public_keys_is_sent(coordinator, attempt, identity, code):
    attempt()
    sent = {path: body for _, path, body in coordinator.bridge.asked}
    assert list(sent) == ["/ca", "/descriptor", "/join", "/log/checkpoint", "/log/entries"]
    assert [path for path, body in sent.items() if body] == ["/join"]
    body = parse(sent["/join"])
    assert set(body) == {"keys", "token"}
    keys = parse(Envelope.from_document(body["keys"]).payload)
    assert set(keys) == {"coordinator_key", "node_key", "sealing_key", "signing_key", "token_sha256"}
    assert identity.signing_key.private_bytes_raw() not in sent["/join"]


def test_before_joining(home):
    assert Membership.load(home) is None


def test_twice_is_once_too_often(coordinator, attempt):
    attempt()
    with pytest.raises(UsageError, match="already"):
        attempt(coordinator.invitations.issue(address=coordinator.descriptor.address).to_text())


def test_a_used_code(coordinator, attempt, tmp_path):
    attempt()
    with pytest.raises(FederationError, match="used already"):
        attempt(who=DeviceIdentity.generate(), where=tmp_path / "another")
    assert Membership.load(tmp_path / "another") is None


def test_an_ended_code(coordinator, attempt):
    with coordinator.log.writing() as change:
        change.execute("UPDATE invitations SET expires_s = 1")
    with pytest.raises(FederationError, match="has ended"):
        attempt()


def test_a_code_the_coordinator_forgot(coordinator, attempt):
    with coordinator.log.writing() as change:
        change.execute("DELETE FROM invitations")
    with pytest.raises(FederationError, match="does not know"):
        attempt()


def test_a_mistyped_code(attempt, code):
    with pytest.raises(ProtocolError, match="mistake"):
        attempt(code[:-1] + ("A" if code[-1] != "A" else "B"))


def test_a_revoked_laptop(coordinator, attempt, identity, tmp_path):
    Devices(coordinator.log).revoke(attempt().device)
    again = coordinator.invitations.issue(address=coordinator.descriptor.address).to_text()
    with pytest.raises(FederationError, match="does not let this laptop in"):
        attempt(again, where=tmp_path / "another")


@pytest.mark.parametrize(
    "error", [httpx.ConnectError("refused"), httpx.ConnectTimeout("slow"), httpx.ReadError("gone"), httpx.RemoteProtocolError("?")]
)
def test_nobody_there(coordinator, attempt, home, error):
    def raises(_request):
        raise error

    coordinator.bridge.before = raises
    with pytest.raises(FederationError, match="cannot be reached"):
        attempt()
    assert Membership.load(home) is None


def test_too_many_at_once(coordinator, attempt):
    busy = canonical({"error": {"code": "busy", "hint": "", "message": "<b>anything</b>"}})
    coordinator.bridge.before = lambda request: (
        httpx.Response(429, stream=httpx.ByteStream(busy)) if request.url.path.endswith("join") else None
    )
    with pytest.raises(FederationError, match="too many laptops") as refusal:
        attempt()
    assert "anything" not in refusal.value.message + refusal.value.hint


def test_a_stranger_at_the_address_never_sees_the_token(coordinators, attempt, home, code):
    stranger = coordinators()
    with pytest.raises(ProtocolError, match="not the one of the invitation"):
        attempt(via=stranger.bridge)
    assert [path for _, path, _ in stranger.bridge.asked] == ["/ca", "/descriptor"]
    assert Membership.load(home) is None


def test_somebody_in_between_with_another_authority(coordinators, coordinator, attempt):
    """The descriptor is the right one, passed on; the certificate authority is the attacker's."""
    other = coordinators().authority
    coordinator.bridge.after = lambda request, body: other if request.url.path.endswith("/ca") else body
    with pytest.raises(ProtocolError, match="not the one of the invitation"):
        attempt()
    assert "/join" not in [path for _, path, _ in coordinator.bridge.asked]


def test_a_descriptor_that_was_changed(coordinator, attempt):
    coordinator.bridge.after = lambda request, body: body.replace(b"e", b"f") if request.url.path.endswith("/descriptor") else body
    with pytest.raises(ProtocolError):
        attempt()


def test_a_code_with_another_address(coordinator, attempt, code):
    told = Invitation.from_text(code)
    other = Invitation(address="elsewhere.example:443", coordinator_key_sha256=told.coordinator_key_sha256, token=told.token)
    with pytest.raises(ProtocolError, match="not the one of the invitation"):
        attempt(other.to_text())
    assert coordinator.invitations.open() == 1


def answering(change):
    def after(request, body):
        return canonical(change(parse(body))) if request.url.path.endswith("/join") else body

    return after


def forged_entry(identity, key):
    return DeviceEntry.of(signing_key=identity.public_signing_key(), node_key=identity.public_node_key()).signed(key).to_document()


CHANGES = {
    "another device": lambda c, a: {**a, "entry": forged_entry(DeviceIdentity.generate(), c.key)},
    "another signer": lambda c, a: {**a, "entry": {**a["entry"], "signature": a["descriptor"]["signature"]}},
    "another descriptor": lambda c, a: {**a, "descriptor": Envelope.sign("hometone/coordinator/v1", {}, c.key).to_document()},
    "another index": lambda c, a: {**a, "index": a["index"] + 1},
    "index of another kind": lambda c, a: {**a, "index": "0"},
    "no proof": lambda c, a: {**a, "proof": []},
    "proof of another kind": lambda c, a: {**a, "proof": ["!"] * 2},
    "another head": lambda c, a: {**a, "checkpoint": a["checkpoint"].replace("\n4\n", "\n5\n")},
    "a field too many": lambda c, a: {**a, "more": 1},
    "a field too few": lambda c, a: {name: value for name, value in a.items() if name != "proof"},
}


@pytest.mark.parametrize("name", list(CHANGES))
def test_answers_that_do_not_hold(coordinator, attempt, home, name):
    coordinator.grow(1, 2, 3)
    coordinator.bridge.after = answering(lambda answer: CHANGES[name](coordinator, answer))
    with pytest.raises(ProtocolError):
        attempt()
    assert Membership.load(home) is None
    coordinator.bridge.after = lambda _request, body: body
    assert attempt()  # the code is still good for this laptop


def test_a_log_that_is_another_one_afterwards(coordinators, coordinator, attempt, home):
    """The answer's head and the log that is shown afterwards contradict each other."""
    coordinator.grow(1, 2, 3)
    evil = coordinators(twin_of=coordinator)
    evil.grow(7, 8, 9, 10, 11)

    def before(request):
        if "/log/" in request.url.path:
            coordinator.bridge.app = evil.app

    coordinator.bridge.before = before
    with pytest.raises(ProtocolError, match="two different logs"):
        attempt()
    assert Membership.load(home) is None


def test_killed_before_the_end_the_same_code_works_again(coordinator, attempt, home, coordinators):
    def dies(request):
        if "/log/" in request.url.path:
            raise KeyboardInterrupt

    coordinator.bridge.before = dies
    with pytest.raises(KeyboardInterrupt):
        attempt()
    assert Membership.load(home) is None
    assert coordinator.log.checkpoint().size == 1
    coordinator.bridge.before = lambda _request: None
    assert attempt().log().head.size == 1


def test_an_unfinished_attempt_elsewhere_is_forgotten(coordinators, coordinator, attempt, home):
    other = coordinators()
    other.grow(*range(9))
    other.bridge.after = lambda request, body: body if "/log/entries" not in request.url.path else b"{}"
    with pytest.raises(ProtocolError):
        attempt(other.invitations.issue(address=other.descriptor.address).to_text(), via=other.bridge)
    other.bridge.after = lambda _request, body: body
    assert attempt().log().head == coordinator.log.checkpoint()


@pytest.mark.parametrize(
    "change", [lambda data: data[:-1], lambda data: data.replace(b"MII", b"MIJ", 1), lambda data: b"{}", lambda data: b""]
)
def test_damaged_memory(attempt, home, change):
    attempt()
    file = home / "federation" / "coordinator.json"
    file.write_bytes(change(file.read_bytes()))
    with pytest.raises(DamagedVaultError, match="damaged"):
        Membership.load(home)


def test_a_log_that_was_deleted_does_not_begin_again(attempt, home):
    membership = attempt()
    (home / "federation" / "log.db").unlink()
    with pytest.raises(DamagedVaultError, match="gone"):
        membership.log()


def test_a_disk_that_refuses(attempt, home):
    home.write_bytes(b"a file in the place of the folder")
    with pytest.raises(StorageError):
        attempt()


def test_a_request_is_bound_to_its_invitation(coordinator, attempt):
    attempt()
    (asked,) = [body for _, path, body in coordinator.bridge.asked if path == "/join"]
    other = coordinator.invitations.issue(address=coordinator.descriptor.address)
    with coordinator.records() as records, pytest.raises(FederationError, match="does not understand"):
        records.join(canonical({**parse(asked), "token": b64(other.token)}))
    assert coordinator.invitations.open() == 1
