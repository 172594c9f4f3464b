"""The coordinator's certificates: checked with another library's eyes (ssl) where that is possible."""

import datetime as dt
import hashlib
import ipaddress
import ssl
import stat
import sys

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1

from hometone_server.certificates import AUTHORITY_DAYS, RENEWAL_DAYS, SERVER_DAYS, Certificates
from hometone_shared.errors import FederationError

NOW = dt.datetime(2026, 12, 1, tzinfo=dt.UTC)


@pytest.fixture
def certificates(tmp_path):
    made = Certificates(tmp_path / "certificates")
    made.create("192.0.2.7", now=NOW)
    return made


def _handshake(certificates, name):
    """A TLS handshake in memory; raises what a laptop's ssl would raise."""
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(certificates.server, certificates.server_key)
    client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client_context.load_verify_locations(cafile=certificates.authority)
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = server_context.wrap_bio(up, down, server_side=True)
    client = client_context.wrap_bio(down, up, server_hostname=name)
    for _ in range(4):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return client.version()


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "::1", "192.0.2.7"])
def test_a_laptop_trusts_every_name_of_the_server(tmp_path, name):
    certificates = Certificates(tmp_path)
    certificates.create("192.0.2.7")
    assert _handshake(certificates, name) == "TLSv1.3"


def test_a_laptop_does_not_trust_another_name(tmp_path):
    certificates = Certificates(tmp_path)
    certificates.create("voices.example.org")
    assert _handshake(certificates, "voices.example.org")
    with pytest.raises(ssl.SSLCertVerificationError):
        _handshake(certificates, "192.0.2.7")


def test_what_stands_in_them(certificates):
    authority = x509.load_pem_x509_certificate(certificates.authority.read_bytes())
    server = x509.load_pem_x509_certificate(certificates.server.read_bytes())
    assert isinstance(authority.public_key().curve, SECP256R1)
    assert authority.not_valid_after_utc - NOW == dt.timedelta(days=AUTHORITY_DAYS)
    assert server.not_valid_after_utc - NOW == dt.timedelta(days=SERVER_DAYS)
    constraints = authority.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    assert (constraints.value.ca, constraints.value.path_length) == (True, 0)
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.IPAddress) == [ipaddress.ip_address(each) for each in ("127.0.0.1", "::1", "192.0.2.7")]
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    der = ssl.PEM_cert_to_DER_cert(certificates.authority.read_text())
    assert certificates.authority_sha256() == hashlib.sha256(der).hexdigest()


@pytest.mark.skipif(sys.platform == "win32", reason="modes of POSIX")
def test_only_the_owner_may_read(certificates):
    for path in certificates.folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(certificates.folder.stat().st_mode) & 0o077 == 0


def test_making_them_twice_changes_nothing(certificates):
    before = {path.name: path.read_bytes() for path in certificates.folder.iterdir()}
    certificates.create("192.0.2.7", now=NOW)
    assert not certificates.renew_if_due("192.0.2.7", now=NOW)
    assert {path.name: path.read_bytes() for path in certificates.folder.iterdir()} == before
    certificates.check(now=NOW)


def test_the_server_s_is_renewed_in_time_and_the_authority_s_is_not(certificates):
    authority, server = certificates.authority.read_bytes(), certificates.server.read_bytes()
    late = NOW + dt.timedelta(days=SERVER_DAYS - RENEWAL_DAYS, hours=1)
    assert certificates.renew_if_due("192.0.2.7", now=late)
    assert certificates.authority.read_bytes() == authority
    assert certificates.server.read_bytes() != server
    certificates.check(now=late + dt.timedelta(days=300))


def test_another_address_makes_another_certificate(certificates):
    assert certificates.renew_if_due("voices.example.org", now=NOW)
    assert not certificates.renew_if_due("voices.example.org", now=NOW)


def test_a_pair_torn_by_a_crash_is_repaired(certificates):
    certificates.server.unlink()
    certificates.create("192.0.2.7", now=NOW)
    certificates.check(now=NOW)


def test_what_is_wrong_is_said(certificates, tmp_path):
    with pytest.raises(FederationError, match="clock is behind"):
        certificates.check(now=NOW - dt.timedelta(days=30))
    with pytest.raises(FederationError, match="server's certificate has ended"):
        certificates.check(now=NOW + dt.timedelta(days=SERVER_DAYS))
    other = Certificates(tmp_path / "other")
    other.create("192.0.2.7", now=NOW)
    other.server_key.replace(certificates.server_key)
    with pytest.raises(FederationError, match="key does not belong"):
        certificates.check(now=NOW)
    other.server.replace(certificates.server)
    with pytest.raises(FederationError, match="not issued by this coordinator"):
        certificates.check(now=NOW)
    certificates.server.write_bytes(b"nonsense")
    with pytest.raises(FederationError, match="missing or damaged"):
        certificates.check(now=NOW)


@pytest.mark.parametrize("address", ["", "two words", "a..b", "münchen.example", "http://x", "*.example.org", "x\n"])
def test_addresses_that_cannot_stand_in_a_certificate(tmp_path, address):
    with pytest.raises(FederationError):
        Certificates(tmp_path).create(address)
    assert list(tmp_path.iterdir()) == []
