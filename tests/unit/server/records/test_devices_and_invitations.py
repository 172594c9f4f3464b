"""Who may join, once; who may not come back; and that nothing secret is kept."""

import threading

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hometone_server.records.devices import DeviceRefusedError, Devices
from hometone_server.records.invitations import VALID_DAYS, InvitationRefusedError, Invitations
from hometone_server.records.store import LogStore
from hometone_shared.errors import ProtocolError, UsageError
from hometone_shared.invitation import Invitation, fingerprint
from hometone_shared.records.device import DeviceEntry

DAY_S = 86_400
ADDRESS = "voices.example.org:443"


class Clock:
    now = 1_700_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def invitations(log, clock):
    return Invitations(log, clock=clock)


def register(log, request):
    with log.writing() as change:
        return Devices(log).register(request, change=change)


def redeem(log, invitations, token, device="a" * 32):
    with log.writing() as change:
        return invitations.redeem(token, device=device, change=change)


def test_a_laptop_comes_into_the_directory(log, laptop):
    request = laptop()
    registered = register(log, request)
    assert registered.index == 0
    assert DeviceEntry.from_envelope(registered.envelope, key=log.key) == request.entry()
    devices = Devices(log)
    assert devices.directory().active == {request.device: request.signing_key}
    assert devices.node_key(request.device) == request.node_key
    assert devices.sealing_key(request.device) == request.sealing_key
    assert register(log, request) == registered
    assert log.checkpoint().size == 1


def test_a_revoked_laptop_never_comes_back(log, laptop):
    signing_key = Ed25519PrivateKey.generate()
    request = laptop(signing_key=signing_key)
    register(log, request)
    devices = Devices(log)
    assert devices.revoke(request.device) == request.node_key
    assert devices.revoke(request.device) == request.node_key
    assert log.checkpoint().size == 2
    assert devices.directory().active == {}
    for again in (request, laptop(signing_key=signing_key)):
        with pytest.raises(DeviceRefusedError, match="for good"):
            register(log, again)
    with pytest.raises(DeviceRefusedError, match="used before"):
        register(log, laptop(node_key=request.node_key))
    register(log, laptop())
    assert len(devices.directory().active) == 1


def test_a_laptop_may_change_its_node_key_but_not_back(log, laptop):
    signing_key = Ed25519PrivateKey.generate()
    first = laptop(signing_key=signing_key)
    second = laptop(signing_key=signing_key)
    register(log, first)
    register(log, second)
    assert Devices(log).node_key(first.device) == second.node_key
    with pytest.raises(DeviceRefusedError, match="used before"):
        register(log, first)
    assert log.checkpoint().size == 2


def test_laptops_nobody_knows(log):
    for call in (Devices(log).revoke, Devices(log).node_key, Devices(log).sealing_key):
        with pytest.raises(UsageError):
            call("f" * 32)


def test_an_invitation_is_for_one_laptop(log, invitations):
    invitation = invitations.issue(address=ADDRESS)
    assert Invitation.from_text(invitation.to_text()) == invitation
    assert (invitation.address, invitation.coordinator_key_sha256) == (ADDRESS, fingerprint(log.key))
    assert invitations.open() == 1
    assert redeem(log, invitations, invitation.token) is True
    assert invitations.open() == 0
    assert redeem(log, invitations, invitation.token) is False  # the same laptop, whose answer got lost
    with pytest.raises(InvitationRefusedError) as refusal:
        redeem(log, invitations, invitation.token, device="b" * 32)
    assert refusal.value.code == "used"


def test_an_invitation_ends(log, invitations, clock):
    invitation = invitations.issue(address=ADDRESS)
    clock.now += VALID_DAYS * DAY_S - 1
    assert invitations.open() == 1
    clock.now += 1
    assert invitations.open() == 0
    with pytest.raises(InvitationRefusedError) as refusal:
        redeem(log, invitations, invitation.token)
    assert refusal.value.code == "expired"
    clock.now += 91 * DAY_S
    invitations.issue(address=ADDRESS)
    with pytest.raises(InvitationRefusedError) as refusal:
        redeem(log, invitations, invitation.token)
    assert refusal.value.code == "unknown"


def test_unknown_tokens(log, invitations):
    with pytest.raises(InvitationRefusedError) as refusal:
        redeem(log, invitations, bytes(10))
    assert refusal.value.code == "unknown"


def test_a_failed_change_leaves_the_invitation_open(log, invitations):
    token = invitations.issue(address=ADDRESS).token

    def interrupted():
        with log.writing() as change:
            invitations.redeem(token, device="a" * 32, change=change)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        interrupted()
    assert redeem(log, invitations, token, device="b" * 32) is True


def test_tokens_are_not_kept(path, log, invitations):
    tokens = [invitations.issue(address=ADDRESS).token for _ in range(20)]
    assert len(set(tokens)) == 20
    stored = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert not [token for token in tokens if token in stored or token.hex().encode() in stored]


@pytest.mark.parametrize("days", [0, 91, -1])
def test_days_that_make_no_sense(invitations, days):
    with pytest.raises(UsageError):
        invitations.issue(address=ADDRESS, valid_days=days)
    with pytest.raises(ProtocolError):
        invitations.issue(address="nowhere")


def test_twenty_laptops_and_one_invitation(path, log, key, invitations):
    token = invitations.issue(address=ADDRESS).token
    won, lost = [], []

    def try_it(number):
        with LogStore(path, signing_key=key) as own:
            try:
                redeem(own, Invitations(own, clock=Clock()), token, device=f"{number:032x}")
                won.append(number)
            except InvitationRefusedError as error:
                lost.append(error.code)

    threads = [threading.Thread(target=try_it, args=(number,)) for number in range(20)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(won) == 1
    assert lost == ["used"] * 19
