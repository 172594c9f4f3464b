"""Asking a coordinator: bounded, typed, never redirected, and over real TLS only under the pinned authority."""

import gzip
import threading
import time
from contextlib import contextmanager

import httpx
import pytest
import uvicorn

from hometone_client.federation import coordinator_records
from hometone_client.federation.coordinator_records import CoordinatorRecords, introduction
from hometone_client.federation.membership import join
from hometone_server.certificates import Certificates
from hometone_shared.errors import FederationError, ProtocolError
from hometone_shared.records.coordinator import CoordinatorDescriptor

CALLS = {
    "checkpoint": lambda records: records.checkpoint(),
    "entries": lambda records: records.entries(0, 3),
    "consistency": lambda records: records.consistency(1, 2),
    "inclusion": lambda records: records.inclusion(0, 1),
    "release": lambda records: records.release(0),
    "vector": lambda records: records.vector(0, size_bytes=12),
    "join": lambda records: records.join(b"{}"),
}
TYPED = ["entries", "consistency", "inclusion", "release", "join"]


def answer(coordinator, response):
    coordinator.bridge.before = lambda _request: response() if callable(response) else response


@pytest.mark.parametrize("name", list(CALLS))
def test_endless_answers_end(coordinator, name):
    class Endless(httpx.SyncByteStream):
        def __iter__(self):
            while True:
                yield bytes(1 << 16)

    for status in (200, 500):
        answer(coordinator, lambda status=status: httpx.Response(status, stream=Endless()))
        with coordinator.records() as records, pytest.raises(ProtocolError, match="too long"):
            CALLS[name](records)


@pytest.mark.parametrize("name", list(CALLS))
def test_slow_answers_end(coordinator, name, monkeypatch):
    monkeypatch.setattr(coordinator_records, "ANSWER_TIMEOUT_S", -1.0)
    monkeypatch.setattr(coordinator_records, "VECTOR_TIMEOUT_S", -1.0)
    answer(coordinator, lambda: httpx.Response(200, stream=httpx.ByteStream(b"slow")))
    with coordinator.records() as records, pytest.raises(FederationError, match="too slowly"):
        coordinator_records._answer(records._client, "GET", "/x", longest=10, timeout_s=-1.0)


@pytest.mark.parametrize("name", list(CALLS))
def test_packed_answers_are_refused(coordinator, name):
    packed = gzip.compress(bytes(1 << 20))
    answer(coordinator, lambda: httpx.Response(200, headers={"content-encoding": "gzip"}, stream=httpx.ByteStream(packed)))
    with coordinator.records() as records, pytest.raises(ProtocolError, match="packed"):
        CALLS[name](records)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_not_followed(coordinator, status):
    answer(coordinator, lambda: httpx.Response(status, headers={"location": "https://elsewhere.example/"}, stream=httpx.ByteStream(b"")))
    with coordinator.records() as records, pytest.raises(FederationError):
        records.checkpoint()
    assert len(coordinator.bridge.asked) == 1


HOSTILE = [
    b"",
    b"x",
    b"[]",
    b"{}",
    b"null",
    b"\xff",
    b'{"entries":{}}',
    b'{"entries":[1]}',
    b'{"entries":[{}]}',
    b'{"proof":[1]}',
    b'{"proof":["AAAA"]}',
    b'{"proof":"AAAA"}',
    b'{"entries":[],"proof":[]}',
    b'{"key":"","payload":"","signature":"","type":""}',
    b"[" * 50_000,
]


@pytest.mark.parametrize("name", [each for each in TYPED if each != "join"])
def test_hostile_answers(coordinator, name):
    for body in HOSTILE:
        answer(coordinator, lambda body=body: httpx.Response(200, stream=httpx.ByteStream(body)))
        with coordinator.records() as records, pytest.raises(ProtocolError):
            CALLS[name](records)
        answer(coordinator, lambda body=body: httpx.Response(403, stream=httpx.ByteStream(body)))
        with coordinator.records() as records, pytest.raises(FederationError, match="has a problem"):
            CALLS[name](records)


def test_more_entries_than_asked_for(coordinator):
    coordinator.grow(1, 2, 3)
    coordinator.bridge.before = lambda request: setattr(request, "url", request.url.copy_set_param("last", 2))
    with coordinator.records() as records, pytest.raises(ProtocolError):
        records.entries(0, 1)


@pytest.mark.parametrize("pem", [b"", b"x", b"\xff", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_authorities_that_are_none(pem):
    with pytest.raises(ProtocolError):
        CoordinatorRecords("a.example:1", authority_pem=pem)


def test_addresses_that_are_none(coordinator):
    for address in ("http://a.example:1", "a.example", "user@a.example:1", "a.example:1/path"):
        with pytest.raises(ProtocolError):
            CoordinatorRecords(address, authority_pem=coordinator.authority)
        with pytest.raises(ProtocolError):
            introduction(address)


@contextmanager
def listening(coordinator):
    """The gateway on a loopback port, with the coordinator's real certificate; yields `127.0.0.1:port`."""
    certificates = Certificates(coordinator.home.certificates)
    config = uvicorn.Config(
        coordinator.app,
        host="127.0.0.1",
        port=0,
        ssl_certfile=str(certificates.server),
        ssl_keyfile=str(certificates.server_key),
        log_level="critical",
        lifespan="off",
        ws="none",
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while thread.is_alive() and not server.started:
        time.sleep(0.01)
    assert server.started
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


def test_real_tls(coordinator, coordinators):
    stranger = coordinators()
    coordinator.grow(1, 2)
    with listening(coordinator) as address:
        with CoordinatorRecords(address, authority_pem=coordinator.authority) as records:
            assert records.checkpoint() == coordinator.log.head()
            assert records.entries(0, 1) == coordinator.log.entries(0, 1)
        with (
            CoordinatorRecords(address, authority_pem=stranger.authority) as records,
            pytest.raises(ProtocolError, match="certificate shown at this address"),
        ):
            records.checkpoint()
        assert introduction(address)[0] == coordinator.authority
    with CoordinatorRecords(address, authority_pem=coordinator.authority) as records, pytest.raises(FederationError, match="reached"):
        records.checkpoint()
    with pytest.raises(FederationError, match="reached"):
        introduction(address)


def test_joining_over_real_tls(coordinator, identity, tmp_path, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    with listening(coordinator) as address:
        descriptor = CoordinatorDescriptor.from_document({**coordinator.descriptor.to_document(), "address": address})
        coordinator.home.descriptor.write_bytes(descriptor.signed(coordinator.key).to_bytes())
        code = coordinator.invitations.issue(address=address).to_text()
        membership = join(code, home=tmp_path / "laptop", identity=identity)
        with membership.records() as records:
            membership.log().update(records)
    assert membership.log().head.size == 1
