"""An archive as a file: deed in the clear, everything else sealed to one keeper (docs/heritage.md, "The file").

    HTON H 01 00 00, u32 length of the deed, the deed (canonical envelope),
    how it opens (one byte) and the sealed key,
    salt (32), STREAM of the contents

1. Each archive has a key of its own, 32 random bytes, which seals the contents as every sealed file of Hometone (docs/formats.md).
2. `C`: HPKE (RFC 9180, base mode: DHKEM X25519, HKDF-SHA256, ChaCha20-Poly1305) seals that key to the keeper's card.
3. `P`: Argon2id (RFC 9106) of a passphrase does. A file that lies about can be guessed at for ever, so the passphrase is longer than a PIN.
4. Both are bound to the deed, and the contents to both: no part of one archive fits into another.

What it may see: keys and contents in memory. What it must never do: touch a disk, or give out contents that the deed does not name.
"""

import hashlib
import secrets
import unicodedata
from dataclasses import dataclass
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from hometone_client.heritage.contents import LONGEST_CONTENTS, Contents
from hometone_client.heritage.deed import KIND, Deed
from hometone_keys.pin import ARGON2_SALT_BYTES, MAXIMUM_CHARACTERS, Argon2Cost, normalised, stretch
from hometone_keys.sealing import KEY_BYTES, SALT_BYTES, context, seal, unseal, unwrap, wipe, wrap
from hometone_keys.stream import CHUNK_BYTES, TAG_BYTES
from hometone_shared.errors import DamagedVaultError, ProtocolError, UsageError, WrongSecretError
from hometone_shared.records.signing import Envelope

HEADER: Final = b"HTONH\x01\x00\x00"
LONGEST_DEED: Final = 4096
SHORTEST_PASSPHRASE: Final = 12
"""Characters."""
ARCHIVE_COST: Final = Argon2Cost(memory_kib=262_144, iterations=4, lanes=4)
"""About a second and 256 MiB for each guess."""
_CARD: Final = b"C"
_PASSPHRASE: Final = b"P"
_LENGTH_BYTES: Final = 4
_COST_BYTES: Final = 12
_ENC_BYTES: Final = 32
_LOCK_BYTES: Final = {
    _CARD: _ENC_BYTES + KEY_BYTES + TAG_BYTES,
    _PASSPHRASE: _COST_BYTES + ARGON2_SALT_BYTES + KEY_BYTES + TAG_BYTES,
}
_SUITE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
LONGEST_ARCHIVE: Final = (
    len(HEADER) + _LENGTH_BYTES + LONGEST_DEED + 1 + max(_LOCK_BYTES.values()) + SALT_BYTES
    + LONGEST_CONTENTS + TAG_BYTES * (LONGEST_CONTENTS // CHUNK_BYTES + 1)
)  # fmt: skip


def _binding(label: str, envelope: Envelope) -> bytes:
    return context(f"hometone/heritage-{label}/v1", bytes.fromhex(envelope.digest))


def check_passphrase(passphrase: str) -> None:
    """Refuse a passphrase that protects nothing (3).

    Raises:
        UsageError: It is shorter than twelve characters, or absurdly long.
    """
    length = len(unicodedata.normalize("NFKC", passphrase).strip())
    if length < SHORTEST_PASSPHRASE:
        raise UsageError(
            f"the passphrase of an archive has at least {SHORTEST_PASSPHRASE} characters", hint="choose five or six words by chance"
        )
    if length > MAXIMUM_CHARACTERS:
        raise UsageError(f"the passphrase is longer than {MAXIMUM_CHARACTERS} characters", hint="choose a shorter one")


@dataclass(frozen=True, slots=True)
class SealedArchive:
    """An archive whose deed was verified, and whose contents are still sealed.

    Attributes:
        envelope: The signed deed.
        deed: The same, read.
        lock: How it opens and the sealed key.
        sealed: Salt and STREAM.
    """

    envelope: Envelope
    deed: Deed
    lock: bytes
    sealed: bytes

    @property
    def has_passphrase(self) -> bool:
        """Whether a passphrase opens it, not a machine."""
        return self.lock[:1] == _PASSPHRASE

    @classmethod
    def for_keeper(cls, contents: Contents, *, envelope: Envelope, sealing_key: bytes) -> Self:
        """Close contents for one machine (2).

        Args:
            contents: What is archived.
            envelope: The signed deed about them.
            sealing_key: Raw X25519 public key of the machine, 32 bytes.

        Raises:
            ProtocolError: The key gives everybody the same secret, or the deed is about other contents or another way of opening.
        """
        key = bytearray(secrets.token_bytes(KEY_BYTES))
        try:
            lock = _SUITE.encrypt(bytes(key), X25519PublicKey.from_public_bytes(sealing_key), info=_binding("card", envelope))
        except ValueError as error:
            raise ProtocolError("the key of this card is worthless", hint="ask for a new card") from error
        return cls._closed(contents, envelope=envelope, lock=_CARD + lock, key=key)

    @classmethod
    def with_passphrase(cls, contents: Contents, *, envelope: Envelope, passphrase: str, cost: Argon2Cost = ARCHIVE_COST) -> Self:
        """Close contents with a passphrase (3).

        Args:
            contents: What is archived.
            envelope: The signed deed about them.
            passphrase: At least twelve characters.
            cost: Of one guess; cheaper ones are for tests.

        Raises:
            UsageError: The passphrase protects nothing.
            ProtocolError: The deed is about other contents or another way of opening.
        """
        check_passphrase(passphrase)
        key = bytearray(secrets.token_bytes(KEY_BYTES))
        start = cost.to_bytes() + secrets.token_bytes(ARGON2_SALT_BYTES)
        stretched = stretch(normalised(passphrase), salt=start[_COST_BYTES:], cost=cost)
        lock = start + wrap(stretched, key, associated_data=start + _binding("passphrase", envelope))
        wipe(stretched)
        return cls._closed(contents, envelope=envelope, lock=_PASSPHRASE + lock, key=key)

    @classmethod
    def _closed(cls, contents: Contents, *, envelope: Envelope, lock: bytes, key: bytearray) -> Self:
        deed, plain = Deed.from_envelope(envelope), contents.to_bytes()
        if deed.contents_sha256 != hashlib.sha256(plain).hexdigest() or (deed.keeper is None) is not (lock[:1] == _PASSPHRASE):
            raise ProtocolError("a deed is about another archive")
        prefix = _prefix(envelope, lock)
        sealed = seal(key, plain, prefix=prefix, info=_binding("contents", envelope))
        wipe(key)
        return cls(envelope, deed, lock, sealed[len(prefix) :])

    def opened_by(self, private: X25519PrivateKey) -> Contents:
        """The contents, on the keeper's machine.

        Raises:
            UsageError: A passphrase opens it.
            ProtocolError: It was sealed to another machine, or was changed.
        """
        if self.has_passphrase:
            raise UsageError("this archive opens with a passphrase", hint="give it with --passphrase-file")
        try:
            key = _SUITE.decrypt(self.lock[1:], private, info=_binding("card", self.envelope))
        except (InvalidTag, ValueError) as error:
            raise ProtocolError(
                "this archive does not open here", hint="it was made for another computer, or changed on its way"
            ) from error
        return self._contents(bytearray(key))

    def opened_with(self, passphrase: str) -> Contents:
        """The contents, with the passphrase.

        Raises:
            UsageError: Only the keeper's machine opens it.
            WrongSecretError: It is another passphrase, or the sealed key was changed: nobody can tell which.
            ProtocolError: It was changed.
        """
        if not self.has_passphrase:
            raise UsageError("this archive opens on its keeper's computer only", hint="open it there, without a passphrase")
        start, sealed = self.lock[1 : 1 + _COST_BYTES + ARGON2_SALT_BYTES], self.lock[1 + _COST_BYTES + ARGON2_SALT_BYTES :]
        cost = Argon2Cost.from_bytes(start[:_COST_BYTES])  # its bounds were checked when the file was read
        stretched = stretch(normalised(passphrase), salt=start[_COST_BYTES:], cost=cost)
        key = unwrap(stretched, sealed, associated_data=start + _binding("passphrase", self.envelope))
        wipe(stretched)
        if key is None:
            raise WrongSecretError("this passphrase does not open the archive", hint="try again, slowly")
        return self._contents(key)

    def _contents(self, key: bytearray) -> Contents:
        prefix = _prefix(self.envelope, self.lock)
        info = _binding("contents", self.envelope)
        try:
            plain = unseal(key, prefix + self.sealed, prefix_bytes=len(prefix), info=info, what="an archive")
        except DamagedVaultError as error:
            raise _changed() from error
        finally:
            wipe(key)
        if hashlib.sha256(plain).hexdigest() != self.deed.contents_sha256:
            raise _changed()
        return Contents.from_bytes(plain)

    def to_bytes(self) -> bytes:
        """The bytes of the file."""
        return _prefix(self.envelope, self.lock) + self.sealed

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read a file; its deed is verified, its contents are not opened.

        Raises:
            ProtocolError: It is not such a file, was cut off, or the deed does not verify.
        """
        start = len(HEADER) + _LENGTH_BYTES
        if data[:5] == HEADER[:5] and data[5:8] > HEADER[5:8]:
            raise ProtocolError("this archive was made by a newer Hometone", hint="update Hometone on this computer")
        if not data.startswith(HEADER) or not start < len(data) <= LONGEST_ARCHIVE:
            raise ProtocolError("this is not a heritage archive", hint="choose the file that hometone heritage make has written")
        end = start + int.from_bytes(data[len(HEADER) : start], "big")
        size = _LOCK_BYTES.get(data[end : end + 1]) if end - start <= LONGEST_DEED else None
        if size is None or len(data) < end + 1 + size + SALT_BYTES + TAG_BYTES:
            raise ProtocolError("this archive is not complete", hint="copy the file again")
        envelope = Envelope.from_bytes(data[start:end])
        archive = cls(envelope, Deed.from_envelope(envelope), data[end : end + 1 + size], data[end + 1 + size :])
        archive._check_lock()
        return archive

    def _check_lock(self) -> None:
        if (self.deed.keeper is None) is not self.has_passphrase:
            raise _changed()
        if self.has_passphrase:
            try:
                Argon2Cost.from_bytes(self.lock[1 : 1 + _COST_BYTES])
            except DamagedVaultError as error:
                raise _changed() from error


def _changed() -> ProtocolError:
    return ProtocolError("this archive was changed after it was made", hint="copy the file again, or ask for it again")


def _prefix(envelope: Envelope, lock: bytes) -> bytes:
    deed = envelope.to_bytes()
    return HEADER + len(deed).to_bytes(_LENGTH_BYTES, "big") + deed + lock


__all__ = ["ARCHIVE_COST", "KIND", "LONGEST_ARCHIVE", "SHORTEST_PASSPHRASE", "SealedArchive", "check_passphrase"]
