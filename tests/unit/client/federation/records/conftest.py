"""A coordinator with its real gateway, and a transport that leads to it without a socket."""

import asyncio
import shutil

import httpx
import pytest

from hometone_client.federation.coordinator_records import CoordinatorRecords
from hometone_client.federation.log_audit import PinnedLog
from hometone_keys import DeviceIdentity
from hometone_server.certificates import Certificates
from hometone_server.gateway.app import build
from hometone_server.gateway.limits import Attempts
from hometone_server.home import CoordinatorHome
from hometone_server.records.invitations import Invitations
from hometone_server.records.releases import Releases
from hometone_server.records.store import LogStore
from hometone_shared.records.coordinator import CoordinatorDescriptor
from hometone_shared.records.signing import Envelope

ADDRESS = "voices.example.org:443"


class Bridge(httpx.BaseTransport):
    """Hands a request to an ASGI application, and keeps what was asked for.

    `before` may answer first, or change what is asked; `after` may change the answer's body.
    """

    def __init__(self, app):
        self.app = app
        self.asked = []
        self.before = lambda request: None
        self.after = lambda _request, body: body

    def handle_request(self, request):
        self.asked.append((request.method, request.url.path.removeprefix("/hometone/v1"), request.read()))
        if (answer := self.before(request)) is not None:
            return answer

        async def ask():
            copy = httpx.Request(request.method, request.url, headers=request.headers, content=request.content)
            response = await httpx.ASGITransport(self.app).handle_async_request(copy)
            body = b"".join([part async for part in response.stream])
            return response.status_code, response.headers, body

        status, headers, body = asyncio.run(ask())
        changed = self.after(request, body)
        headers = [(name, value) for name, value in headers.items() if name != "content-length" or changed == body]
        return httpx.Response(status, headers=headers, stream=httpx.ByteStream(changed))


class Coordinator:
    """A coordinator's folder, log and gateway."""

    def __init__(self, root, *, key_file=None):
        self.home = CoordinatorHome(root)
        self.home.write_settings(name="Village hall", address=ADDRESS)
        if key_file is not None:
            self.home.key_file.parent.mkdir(parents=True)
            shutil.copy(key_file, self.home.key_file)
        self.key = self.home.make_signing_key({})
        certificates = Certificates(self.home.certificates)
        certificates.create("voices.example.org")
        self.authority = certificates.authority.read_bytes()
        ca_sha256 = certificates.authority_sha256()
        self.descriptor = CoordinatorDescriptor(address=ADDRESS, bundle_sha256="ab" * 32, ca_sha256=ca_sha256, name="Village hall")
        self.home.descriptor.write_bytes(self.descriptor.signed(self.key).to_bytes())
        self.log = LogStore.open(self.home)
        self.releases = Releases.open(self.home, self.log)
        self.invitations = Invitations(self.log)
        self.registered = []
        self.app = build(self.home.root, register_node=self.registered.append, attempts=Attempts(peer_per_minute=1000, all_per_minute=1000))
        self.bridge = Bridge(self.app)

    @property
    def raw_key(self):
        return self.log.key

    def grow(self, *numbers, kind="hometone/test/v1"):
        return self.log.append_all([Envelope.sign(kind, {"number": number}, self.key) for number in numbers])

    def records(self):
        return CoordinatorRecords(ADDRESS, authority_pem=self.authority, transport=self.bridge)


@pytest.fixture
def coordinators(tmp_path):
    """Makes coordinators: `coordinators()`; `coordinators(twin_of=...)` has the same key and another log."""
    made = []

    def make(*, twin_of=None):
        key_file = twin_of.home.key_file if twin_of else None
        made.append(Coordinator(tmp_path / f"coordinator-{len(made)}", key_file=key_file))
        return made[-1]

    yield make
    for each in made:
        each.log.close()


@pytest.fixture
def coordinator(coordinators):
    return coordinators()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "laptop" / "federation"


@pytest.fixture
def pinned(folder, coordinator):
    return PinnedLog(folder, coordinator_key=coordinator.raw_key, clock=lambda: 1_700_000_000.0)


@pytest.fixture
def identity():
    return DeviceIdentity.generate()
