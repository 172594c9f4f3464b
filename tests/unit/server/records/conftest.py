"""A log with a key of its own, and laptops that ask to join it."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hometone_server.records.store import LogStore
from hometone_shared.invitation import token_sha256
from hometone_shared.records.joining import JoinRequest

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


@pytest.fixture
def key():
    return KEY


@pytest.fixture
def path(tmp_path: Path):
    return tmp_path / "records.db"


@pytest.fixture
def log(path):
    with LogStore(path, signing_key=KEY) as store:
        yield store


@pytest.fixture
def laptop(log):
    """Makes requests to join: `laptop()` is a new one, `laptop(signing_key=...)` one with a known key."""

    def make(*, signing_key=None, node_key=None, token=bytes(10)):
        signing_key = signing_key or Ed25519PrivateKey.generate()
        node_key = node_key or generate_private_key(SECP384R1()).public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
        return JoinRequest(
            coordinator_key=log.key,
            node_key=node_key,
            sealing_key=bytes(32),
            signing_key=signing_key.public_key().public_bytes_raw(),
            token_sha256=token_sha256(token),
        )

    return make
