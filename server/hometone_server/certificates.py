"""The coordinator's own certificate authority, and the certificate its listeners show.

What it does: makes a P-256 authority that lives ten years and is pinned by every laptop that joins, and under it a server certificate of
about one year that is replaced in good time without anybody's doing. What it may see: the two private keys, which it writes with permission
for their owner only. What it must never do: sign for anything but this coordinator's own names, or hand a key to a log.

RFC 5280 profiles: the authority may sign certificates and nothing else (path length 0); the server certificate may serve TLS only.
"""

import datetime as dt
import hashlib
import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hometone_server.home import write_private
from hometone_shared.errors import FederationError

AUTHORITY_DAYS: Final = 3652
SERVER_DAYS: Final = 397
RENEWAL_DAYS: Final = 30
"""A server certificate with less than this left is replaced."""
_CLOCK_SLACK: Final = dt.timedelta(hours=1)
_ALWAYS: Final = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, slots=True)
class Certificates:
    """Where the four files of a coordinator lie. Certificates are PEM, keys are PEM (PKCS #8) with mode 0600.

    Attributes:
        folder: A folder of their own, mode 0700.
    """

    folder: Path

    @property
    def authority(self) -> Path:
        """The authority's certificate: what laptops are given."""
        return self.folder / "ca.pem"

    @property
    def authority_key(self) -> Path:
        """Signs server certificates."""
        return self.folder / "ca-key.pem"

    @property
    def server(self) -> Path:
        """The server's certificate, followed by the authority's."""
        return self.folder / "server.pem"

    @property
    def server_key(self) -> Path:
        """The key of the listeners."""
        return self.folder / "server-key.pem"

    def create(self, address: str, *, now: dt.datetime | None = None) -> None:
        """Make an authority and a first server certificate; what is there already stays.

        Args:
            address: Host name or IP address by which laptops reach this coordinator.
            now: For tests.

        Raises:
            FederationError: The address cannot stand in a certificate.
            StorageError: The folder cannot be written.
        """
        moment = now or dt.datetime.now(dt.UTC)
        _names(address)
        if not self.authority.is_file():
            key = generate_private_key(SECP256R1())
            write_private(self.authority_key, _key_pem(key))
            write_private(self.authority, _authority_certificate(key, moment).public_bytes(Encoding.PEM))
        if not self.server.is_file() or not self.server_key.is_file():
            self._issue(address, moment)

    def authority_sha256(self) -> str:
        """SHA-256 of the authority's certificate in DER, hexadecimal: what the coordinator's descriptor names as `ca_sha256`.

        Raises:
            FederationError: There is none, or it cannot be read.
        """
        return hashlib.sha256(_load(self.authority).public_bytes(Encoding.DER)).hexdigest()

    def renew_if_due(self, address: str, *, now: dt.datetime | None = None) -> bool:
        """Replace the server certificate when it ends soon or names other addresses; the authority stays, so no laptop notices.

        Returns:
            Whether there is a new one; running listeners have to load it.

        Raises:
            FederationError: The files cannot be read.
            StorageError: They cannot be written.
        """
        moment = now or dt.datetime.now(dt.UTC)
        current = _load(self.server)
        names = current.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        ends_soon = current.not_valid_after_utc - moment < dt.timedelta(days=RENEWAL_DAYS)
        if not ends_soon and set(names) == set(_names(address)):
            return False
        self._issue(address, moment)
        return True

    def ends(self) -> tuple[dt.datetime, dt.datetime]:
        """When the server's certificate ends, and when the authority's does.

        Raises:
            FederationError: They cannot be read.
        """
        return _load(self.server).not_valid_after_utc, _load(self.authority).not_valid_after_utc

    def check(self, *, now: dt.datetime | None = None) -> None:
        """Say in words why laptops would refuse to connect.

        Raises:
            FederationError: A certificate has ended, is not valid yet (the clock is wrong), does not fit its key, or cannot be read.
        """
        moment = now or dt.datetime.now(dt.UTC)
        authority, server = _load(self.authority), _load(self.server)
        for certificate, name in ((authority, "authority's"), (server, "server's")):
            if moment < certificate.not_valid_before_utc:
                raise FederationError(
                    "this machine's clock is behind the day its certificates were made", hint="set the clock, then start again"
                )
            if moment >= certificate.not_valid_after_utc:
                raise FederationError(
                    f"the {name} certificate has ended", hint="check the clock; if it is right, the certificates must be made anew"
                )
        try:
            server.verify_directly_issued_by(authority)
            fits = _load_key(self.server_key).public_key() == server.public_key()
        except Exception as error:
            raise FederationError("the server's certificate was not issued by this coordinator's authority") from error
        if not fits:
            raise FederationError("the server's key does not belong to its certificate", hint="put both files back from one backup")

    def _issue(self, address: str, moment: dt.datetime) -> None:
        authority, authority_key = _load(self.authority), _load_key(self.authority_key)
        key = generate_private_key(SECP256R1())
        ends = min(moment + dt.timedelta(days=SERVER_DAYS), authority.not_valid_after_utc)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Hometone coordinator")]))
            .issuer_name(authority.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(moment - _CLOCK_SLACK)
            .not_valid_after(ends)
            .add_extension(x509.SubjectAlternativeName(_names(address)), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
            .sign(authority_key, hashes.SHA256())
        )
        # A pair torn by a crash must be repaired by the next `create`, which issues anew when one of the two is not there.
        self.server.unlink(missing_ok=True)
        write_private(self.server_key, _key_pem(key))
        write_private(self.server, certificate.public_bytes(Encoding.PEM) + authority.public_bytes(Encoding.PEM))


def _authority_certificate(key: EllipticCurvePrivateKey, moment: dt.datetime) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Hometone coordinator's authority")])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - _CLOCK_SLACK)
        .not_valid_after(moment + dt.timedelta(days=AUTHORITY_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _names(address: str) -> list[x509.GeneralName]:
    """Loopback, localhost and the given address, each once."""
    names: list[x509.GeneralName] = []
    for each in dict.fromkeys((*_ALWAYS, address)):
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(each)))
        except ValueError:
            if not each or not each.isascii() or not all(part and part.replace("-", "").isalnum() for part in each.split(".")):
                raise FederationError(
                    "the coordinator's address is neither a host name nor an IP address", hint="for example 192.0.2.7"
                ) from None
            names.append(x509.DNSName(each))
    return names


def _key_pem(key: EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _load(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        raise FederationError("a certificate of this coordinator is missing or damaged", hint="put it back from a backup") from error


def _load_key(path: Path) -> EllipticCurvePrivateKey:
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise FederationError("a key of this coordinator is missing or damaged", hint="put it back from a backup") from error
    if not isinstance(key, EllipticCurvePrivateKey):
        raise FederationError("a key of this coordinator is not the kind it makes", hint="put it back from a backup")
    return key
