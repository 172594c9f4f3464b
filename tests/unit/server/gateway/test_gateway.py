"""The gateway's answers are verifiable, its refusals are clear, it is bounded, and it tells its log nothing."""

import json
import logging

import anyio
import httpx
import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hometone_server.certificates import Certificates
from hometone_server.gateway import limits
from hometone_server.gateway.app import build
from hometone_server.gateway.limits import Attempts
from hometone_server.records.devices import Devices
from hometone_server.records.releases import Releases
from hometone_shared.errors import FederationError, UsageError
from hometone_shared.invitation import token_sha256
from hometone_shared.log.checkpoint import Checkpoint, log_origin
from hometone_shared.log.merkle import leaf_hash, verify_consistency, verify_inclusion
from hometone_shared.records.canonical import b64, canonical, checked_b64, parse
from hometone_shared.records.device import DeviceEntry
from hometone_shared.records.joining import JoinRequest
from hometone_shared.records.release import Release
from hometone_shared.records.signing import Envelope


def fill(log, home, count=5):
    key = home.signing_key({})
    return log.append_all(Envelope.sign("hometone/test/v1", {"number": number}, key) for number in range(count))


def unproof(response):
    return [checked_b64(part, name="part") for part in parse(response.content)["proof"]]


def test_who_the_coordinator_is(gateway, home):
    assert gateway.ask("GET", "/ca").content == Certificates(home.certificates).authority.read_bytes()
    assert gateway.ask("GET", "/descriptor").content == home.descriptor.read_bytes()
    assert b"PRIVATE" not in gateway.ask("GET", "/ca").content


def test_the_log_can_be_verified_from_outside(gateway, home, log):
    fill(log, home, 9)
    head = Checkpoint.from_note(gateway.ask("GET", "/log/checkpoint").content, origin=log_origin(log.key), key=log.key)
    assert head.size == 9
    answer = parse(gateway.ask("GET", "/log/entries?first=2&last=8").content)
    assert [Envelope.from_document(each) for each in answer["entries"]] == log.entries(2, 8)
    leaf = leaf_hash(log.leaves(3, 3)[0])
    verify_inclusion(unproof(gateway.ask("GET", "/log/inclusion?index=3&size=9")), leaf=leaf, index=3, size=9, root=head.root)
    proof = unproof(gateway.ask("GET", "/log/consistency?first=4&second=9"))
    verify_consistency(proof, first=4, first_root=log.root_at(4), second=9, second_root=head.root)


def test_releases(gateway, home, log):
    Releases.open(home, log).publish(np.ones(3), base_sha256="ab" * 32, basis_sha256="cd" * 32)
    release = Release.from_envelope(Envelope.from_bytes(gateway.ask("GET", "/releases/0").content), key=log.key)
    release.check_vector(gateway.ask("GET", "/releases/0/vector").content)


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/log/entries", 400, "malformed"),
        ("/log/entries?first=0&last=99", 400, "malformed"),
        ("/log/entries?first=3&last=2", 400, "malformed"),
        ("/log/entries?first=-1&last=2", 400, "malformed"),
        ("/log/entries?first=1e3&last=2", 400, "malformed"),
        ("/log/entries?first=٣&last=5", 400, "malformed"),
        ("/log/entries?first=0&last=" + "9" * 400, 400, "malformed"),
        ("/log/consistency?first=0&second=2", 400, "malformed"),
        ("/log/consistency?first=2&second=1", 400, "malformed"),
        ("/log/consistency?first=1&second=9999999999999", 400, "malformed"),
        ("/log/inclusion?index=5&size=5", 400, "malformed"),
        ("/log/inclusion?index=0&size=6", 400, "malformed"),
        ("/releases/0", 404, "missing"),
        ("/releases/x", 400, "malformed"),
        ("/releases/7/vector", 404, "missing"),
        ("/releases/..%2f..%2frecords.db", 404, "missing"),
        ("/join", 405, "missing"),
        ("/nothing", 404, "missing"),
    ],
)
def test_refusals(gateway, home, log, path, status, code):
    fill(log, home)
    answer = gateway.ask("GET", path)
    assert answer.status_code == status
    assert answer.headers["cache-control"] == "no-store"
    error = parse(answer.content)["error"]
    assert error["code"] == code
    assert set(error) == {"code", "hint", "message"}
    assert str(home.root) not in answer.text


@pytest.mark.parametrize("method", ["PUT", "DELETE", "POST", "PATCH"])
def test_nothing_can_be_written_but_by_joining(gateway, home, log, method):
    fill(log, home)
    for path in ("/log/entries", "/log/checkpoint", "/releases/0", "/ca"):
        assert gateway.ask(method, path).status_code == 405
    assert log.checkpoint().size == 5


class Laptop:
    def __init__(self, log):
        self.log = log
        self.key = Ed25519PrivateKey.generate()
        self.node_key = generate_private_key(SECP384R1()).public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)

    def request(self, token, **changes):
        values = {
            "coordinator_key": self.log.key,
            "node_key": self.node_key,
            "sealing_key": bytes(32),
            "signing_key": self.key.public_key().public_bytes_raw(),
            "token_sha256": token_sha256(token),
        }
        return JoinRequest(**values | changes)

    def body(self, token, **changes):
        return canonical({"keys": self.request(token, **changes).signed(self.key).to_document(), "token": b64(token)})


@pytest.fixture
def token(invitations):
    return invitations.issue(address="voices.example.org:443").token


def refused(answer, status, code):
    assert answer.status_code == status
    assert parse(answer.content)["error"]["code"] == code


def test_joining(gateway, home, log, token):
    fill(log, home)
    laptop = Laptop(log)
    answer = parse(gateway.ask("POST", "/join", content=laptop.body(token)).content)
    assert set(answer) == {"checkpoint", "descriptor", "entry", "index", "proof"}
    assert canonical(answer["descriptor"]) == home.descriptor.read_bytes()
    envelope = Envelope.from_document(answer["entry"])
    assert DeviceEntry.from_envelope(envelope, key=log.key) == laptop.request(token).entry()
    head = Checkpoint.from_note(answer["checkpoint"].encode(), origin=log_origin(log.key), key=log.key)
    proof = [checked_b64(part, name="part") for part in answer["proof"]]
    verify_inclusion(proof, leaf=leaf_hash(envelope.to_bytes()), index=answer["index"], size=head.size, root=head.root)
    assert gateway.registered == [laptop.node_key]
    assert Devices(log).directory().active == {laptop.request(token).device: laptop.key.public_key().public_bytes_raw()}


def test_a_lost_answer_is_given_again(gateway, log, token):
    laptop = Laptop(log)
    first, again = (gateway.ask("POST", "/join", content=laptop.body(token)) for _ in range(2))
    assert first.content == again.content
    assert log.checkpoint().size == 1
    assert gateway.registered == [laptop.node_key]


def test_a_used_invitation_lets_nobody_else_in(gateway, log, token):
    laptop = Laptop(log)
    gateway.ask("POST", "/join", content=laptop.body(token))
    refused(gateway.ask("POST", "/join", content=Laptop(log).body(token)), 403, "used")
    laptop.node_key = Laptop(log).node_key
    refused(gateway.ask("POST", "/join", content=laptop.body(token)), 403, "used")
    assert log.checkpoint().size == 1


def test_other_refusals_to_join(gateway, log, token, invitations):
    refused(gateway.ask("POST", "/join", content=Laptop(log).body(bytes(10))), 403, "unknown")
    laptop = Laptop(log)
    gateway.ask("POST", "/join", content=laptop.body(token))
    Devices(log).revoke(laptop.request(token).device)
    fresh = invitations.issue(address="voices.example.org:443").token
    refused(gateway.ask("POST", "/join", content=laptop.body(fresh)), 403, "refused")
    refused(gateway.ask("POST", "/join", content=laptop.body(token)), 403, "used")
    assert invitations.open() == 1


def test_if_flower_refuses_nothing_has_happened(gateway, log, token, invitations):
    def refuse(_key):
        raise FederationError("the SuperLink does not answer")

    gateway.register = refuse
    laptop = Laptop(log)
    refused(gateway.ask("POST", "/join", content=laptop.body(token)), 500, "internal")
    assert log.checkpoint().size == 0
    assert invitations.open() == 1
    gateway.register = gateway.registered.append
    assert gateway.ask("POST", "/join", content=laptop.body(token)).status_code == 200


def bad_bodies(log, token):
    laptop, other = Laptop(log), Laptop(log)
    good = json.loads(laptop.body(token))
    yield b""
    yield b"{}"
    yield b"[" * 10_000
    yield json.dumps(good).encode()  # not canonical
    yield canonical({"keys": good["keys"]})
    yield canonical({**good, "more": 1})
    yield canonical({**good, "token": b64(bytes(9))})
    yield canonical({**good, "token": b64(bytes(10))})  # another invitation than the one that is signed
    yield canonical({**good, "keys": {**good["keys"], "signature": b64(bytes(64))}})
    yield canonical({**good, "keys": {**good["keys"], "type": "hometone/device/v1"}})
    yield canonical({**good, "keys": other.request(token).signed(laptop.key).to_document()})
    yield laptop.body(token, coordinator_key=bytes(32))


def test_hostile_bodies(gateway, log, token, invitations):
    for body in bad_bodies(log, token):
        refused(gateway.ask("POST", "/join", content=body), 400, "malformed")
    assert log.checkpoint().size == 0
    assert invitations.open() == 1
    assert gateway.registered == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.binary(max_size=200))
def test_hostile_bytes(gateway, data):
    gateway.attempts.__init__()
    refused(gateway.ask("POST", "/join", content=data), 400, "malformed")


def test_bodies_are_bounded(gateway):
    refused(gateway.ask("POST", "/join", content=b"x" * (limits.LONGEST_BODY + 1)), 400, "malformed")


def test_slow_bodies_end(gateway, monkeypatch):
    monkeypatch.setattr(limits, "BODY_TIMEOUT_S", 0.05)

    async def trickle():
        yield b"{"
        await anyio.sleep(30)

    refused(gateway.ask("POST", "/join", content=trickle()), 400, "malformed")


def test_attempts_are_counted(gateway, log):
    for _ in range(30):
        refused(gateway.ask("POST", "/join", content=b"{}"), 400, "malformed")
    refused(gateway.ask("POST", "/join", content=b"{}"), 429, "busy")
    refused(gateway.ask("POST", "/join", content=b"{}", peer="192.0.2.2"), 400, "malformed")
    assert gateway.ask("GET", "/log/checkpoint").status_code == 200


def test_buckets_fill_again():
    now = 0.0
    attempts = Attempts(peer_per_minute=2, all_per_minute=5, clock=lambda: now)
    assert [attempts.allow("one") for _ in range(3)] == [True, True, False]
    assert [attempts.allow(f"{number}") for number in range(5)] == [True, True, True, False, False]
    now = 30.0
    assert [attempts.allow("one") for _ in range(2)] == [True, False]
    now = 1000.0
    assert [attempts.allow("one") for _ in range(3)] == [True, True, False]


def test_peers_are_forgotten(monkeypatch):
    now = 0.0
    attempts = Attempts(clock=lambda: now)
    for number in range(5):
        attempts.allow(f"{number}")
    now = 61.0
    attempts.allow("new")
    assert list(attempts._peers) == ["new"]
    monkeypatch.setattr(limits, "_MOST_PEERS", 3)
    for number in range(10):
        attempts.allow(f"{number}")
    assert len(attempts._peers) == 3


def test_the_log_says_nothing(gateway, log, token, caplog):
    caplog.set_level(logging.DEBUG, logger="hometone_server")
    laptop = Laptop(log)

    def explode(_key):
        raise RuntimeError("a text with keys in it")

    gateway.register = explode
    refused(gateway.ask("POST", "/join", content=laptop.body(token)), 500, "internal")
    gateway.register = gateway.registered.append
    gateway.ask("POST", "/join", content=laptop.body(token))
    own = [record for record in caplog.records if record.name.startswith("hometone_server")]
    assert [record.getMessage() for record in own] == ["a request failed: RuntimeError"]


def test_damaged_files_are_told_as_a_problem(gateway, home):
    home.descriptor.unlink()
    refused(gateway.ask("GET", "/descriptor"), 500, "internal")


def test_there_must_be_a_coordinator(tmp_path):
    with pytest.raises(UsageError):
        build(tmp_path / "empty", register_node=print)


def test_the_log_is_closed_at_the_end(home):
    app = build(home.root, register_node=print)

    async def once():
        async with app.router.lifespan_context(app):
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="https://a/hometone/v1") as client:
                assert (await client.get("/log/checkpoint")).status_code == 200

    anyio.run(once)
