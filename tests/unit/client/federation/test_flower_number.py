"""A laptop that was killed is let in again at once: it remembers Flower's number for it and says first that it was gone."""

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, generate_private_key
from flwr.proto.fleet_pb2 import ActivateNodeResponse

from hometone_client.federation.flower_calls import AwayError, FleetCalls
from hometone_server.certificates import Certificates
from hometone_shared.errors import FederationError

NUMBER = 900558914227149295


class Fleet:
    """What Flower's Fleet API does about activation: a node that is there cannot say again that it is."""

    def __init__(self, *, known=True, there=False, fails=None):
        self.known, self.there, self.fails = known, there, fails
        self.asked = []

    def _answer(self, name, status):
        self.asked.append(name)
        if self.fails == name:
            raise httpx.ConnectError("nobody")
        if status != 200:
            request = httpx.Request("POST", "https://192.0.2.7/")
            raise httpx.HTTPStatusError("no", request=request, response=httpx.Response(status, request=request))

    def ActivateNode(self, request):  # noqa: N802 - as Flower calls it
        self._answer("activate", 200 if self.known and not self.there else 412)
        self.there = True
        return ActivateNodeResponse(node_id=NUMBER)

    def DeactivateNode(self, request):  # noqa: N802 - as Flower calls it
        is_its_own = self.known and request.node_id == NUMBER
        self._answer("deactivate", (200 if self.there else 412) if is_its_own else 401)
        self.there = False


@pytest.fixture
def calls(tmp_path):
    certificates = Certificates(tmp_path / "certificates")
    certificates.create("127.0.0.1")

    def make(fleet, *, remembers=True):
        found = FleetCalls(
            address="192.0.2.7:8443",
            authority_pem=certificates.authority.read_bytes(),
            node_key=generate_private_key(SECP384R1()),
            number_file=tmp_path / "flower-number" if remembers else None,
        )
        found._client = fleet
        return found

    return make


def test_the_number_outlives_the_process(calls, tmp_path):
    fleet = Fleet()
    calls(fleet).activate()
    assert (tmp_path / "flower-number").read_bytes() == str(NUMBER).encode()
    again = calls(fleet)
    again.activate()
    assert fleet.asked == ["activate", "activate", "deactivate", "activate"]
    assert again.node.node_id == NUMBER


def test_a_connection_that_was_lost_needs_no_file(calls, tmp_path):
    fleet = Fleet()
    one = calls(fleet, remembers=False)
    one.activate()
    one.activate()
    assert fleet.asked == ["activate", "activate", "deactivate", "activate"]
    assert not (tmp_path / "flower-number").exists()


@pytest.mark.parametrize("content", [None, b"", b"what", b"-1", b"0", b"99999999999999999999999", "\u0663".encode(), b"7"])
def test_without_the_right_number_it_is_told_to_try_again_in_a_minute(calls, tmp_path, content):
    if content is not None:
        (tmp_path / "flower-number").write_bytes(content)
    with pytest.raises(FederationError, match="does not know this laptop") as refused:
        calls(Fleet(there=True)).activate()
    assert "in a minute" in refused.value.hint


def test_a_revoked_laptop_is_not_let_in(calls, tmp_path):
    (tmp_path / "flower-number").write_bytes(str(NUMBER).encode())
    fleet = Fleet(known=False)
    with pytest.raises(FederationError, match="has revoked it"):
        calls(fleet).activate()
    assert fleet.asked == ["activate", "deactivate"]


def test_one_that_came_back_meanwhile_is_tried_once_more_and_not_for_ever(calls, tmp_path):
    (tmp_path / "flower-number").write_bytes(str(NUMBER).encode())

    class Stubborn(Fleet):
        def DeactivateNode(self, request):  # noqa: N802 - as Flower calls it
            self._answer("deactivate", 412)

    fleet = Stubborn(there=True)
    with pytest.raises(FederationError, match="does not know this laptop"):
        calls(fleet).activate()
    assert fleet.asked == ["activate", "deactivate", "activate"]


@pytest.mark.parametrize("fails", ["activate", "deactivate"])
def test_a_coordinator_that_goes_away_in_between_is_away(calls, tmp_path, fails):
    (tmp_path / "flower-number").write_bytes(str(NUMBER).encode())
    with pytest.raises(AwayError):
        calls(Fleet(there=True, fails=fails)).activate()
