"""A coordinator's folder, its gateway in this process, and a way to ask it without a socket."""

from types import SimpleNamespace

import anyio
import httpx
import pytest

from hometone_server.certificates import Certificates
from hometone_server.gateway.app import build
from hometone_server.gateway.limits import Attempts
from hometone_server.home import CoordinatorHome
from hometone_server.records.invitations import Invitations
from hometone_server.records.store import LogStore
from hometone_shared.records.coordinator import CoordinatorDescriptor

ADDRESS = "voices.example.org:443"


@pytest.fixture
def home(tmp_path):
    home = CoordinatorHome(tmp_path / "coordinator")
    home.write_settings(name="Village hall", address=ADDRESS)
    key = home.make_signing_key({})
    certificates = Certificates(home.certificates)
    certificates.create("voices.example.org")
    descriptor = CoordinatorDescriptor(
        address=ADDRESS, bundle_sha256="ab" * 32, ca_sha256=certificates.authority_sha256(), name="Village hall"
    )
    home.descriptor.write_bytes(descriptor.signed(key).to_bytes())
    return home


@pytest.fixture
def log(home):
    with LogStore.open(home) as store:
        yield store


@pytest.fixture
def invitations(log):
    return Invitations(log)


@pytest.fixture
def gateway(home, log):
    """`ask(method, path, **more)` -> response; `registered` are the node keys that Flower was told."""
    registered = []
    state = SimpleNamespace(registered=registered, attempts=Attempts(), register=registered.append)

    def register_node(key):
        state.register(key)

    app = build(home.root, register_node=register_node, attempts=state.attempts)

    def ask(method, path, *, peer="192.0.2.1", **more):
        async def answer():
            transport = httpx.ASGITransport(app, client=(peer, 1))
            async with httpx.AsyncClient(transport=transport, base_url=f"https://{ADDRESS}/hometone/v1") as client:
                return await client.request(method, path, **more)

        return anyio.run(answer)

    state.ask = ask
    state.app = app
    return state
