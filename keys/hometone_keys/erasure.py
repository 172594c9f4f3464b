"""Taking a speaker out of the vault so that no copy of anything can be read again, even after a power cut half-way.

(1) A sealed intent is on the disk before anything else: from here on the erasure will be finished, whatever happens.
(2) The register is replaced by one without the speaker's slots, under a new device key (`Cabinet.rotate`); the old key is destroyed.
    Every copy of the slots - in free blocks of the disk, in backups of this folder - is unreadable without it.
(3) The speaker's files are overwritten as far as the disk allows, and removed.
(4) The intent is removed.

The intent names the device key it was sealed under. If the register still needs that key, (2) has not happened and is done now; if it
does not, (3) and (4) remain, and they need to know nothing about the speaker: whatever belongs to nobody goes. Requirements 47, 48, 50.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from hometone_keys.cabinet import INTENT, Cabinet, Removed
from hometone_keys.damage import damaged
from hometone_keys.device import DeviceIdentity
from hometone_keys.register import KEY_ID_BYTES, PREFIX_BYTES, Register
from hometone_keys.sealing import HEADER_BYTES, FileKind, canonical_json, context, expect_kind, header, parse_json, seal, unseal
from hometone_shared.errors import ProtocolError

_PART = "the note of a removal in progress"
_RECEIPT_LABEL = "hometone/erasure-receipt/v1"


@dataclass(frozen=True, slots=True)
class ErasureReceipt:
    """What was removed on this machine, signed by the machine. It says nothing about whose voice it was.

    Args:
        erased_ms: When, milliseconds since 1970.
        files_removed: Files taken off the disk.
        bytes_removed: Their length on the disk.
        files_pending: Files another program held open; unreadable already, removed at the next start.
        device_key_rotated: Always true: older copies of the key slots are unreadable.
        device: The machine's Ed25519 public key, hexadecimal.
        signature: Ed25519 over all other fields, hexadecimal.
    """

    erased_ms: int
    files_removed: int
    bytes_removed: int
    files_pending: int
    device_key_rotated: bool
    device: str
    signature: str = ""

    def signed_bytes(self) -> bytes:
        """What the signature covers: a label, a zero byte, the other fields as canonical JSON."""
        fields = {name: value for name, value in asdict(self).items() if name != "signature"}
        return _RECEIPT_LABEL.encode() + b"\x00" + canonical_json(fields)

    def to_json(self) -> bytes:
        """The receipt as canonical JSON."""
        return canonical_json(asdict(self))

    @classmethod
    def verified(cls, data: bytes, *, device: bytes) -> "ErasureReceipt":
        """Read a receipt and check it.

        Args:
            data: What `to_json` gave.
            device: Ed25519 public key of the machine it should come from, 32 bytes.

        Raises:
            ProtocolError: It is not a receipt, or not of that machine.
        """
        refusal = ProtocolError("this is not a valid receipt of that machine", hint="ask for the receipt again")
        try:
            receipt = cls(**parse_json(data))
            Ed25519PublicKey.from_public_bytes(device).verify(bytes.fromhex(receipt.signature), receipt.signed_bytes())
        except (TypeError, ValueError, InvalidSignature) as error:
            raise refusal from error
        if receipt.device != device.hex():
            raise refusal
        return receipt


def _receipt(identity: DeviceIdentity, removed: Removed, *, now_ms: int) -> ErasureReceipt:
    unsigned = ErasureReceipt(
        erased_ms=now_ms,
        files_removed=removed.files,
        bytes_removed=removed.size_bytes,
        files_pending=removed.pending,
        device_key_rotated=True,
        device=identity.public_signing_key().hex(),
    )
    return ErasureReceipt(**(asdict(unsigned) | {"signature": identity.signing_key.sign(unsigned.signed_bytes()).hex()}))


def seal_intent(speaker_id: str, *, key_id: bytes, device_key: bytes | bytearray, salt: bytes | None = None) -> bytes:
    """The bytes of the intent. `salt` is for test vectors only."""
    prefix, info = header(FileKind.INTENT) + key_id, context("hometone/intent/v1", key_id)
    return seal(device_key, canonical_json({"erase": speaker_id}), prefix=prefix, info=info, salt=salt)


def intent_key_id(data: bytes) -> bytes:
    """Which device key an intent was sealed under.

    Raises:
        DamagedVaultError: These bytes are no intent.
    """
    expect_kind(data, FileKind.INTENT, what=_PART)
    if len(data) < PREFIX_BYTES:
        raise damaged(_PART)
    return data[HEADER_BYTES : HEADER_BYTES + KEY_ID_BYTES]


def unseal_intent(data: bytes, *, device_key: bytes | bytearray) -> str:
    """Who is to be erased.

    Raises:
        DamagedVaultError: It is not what was written.
    """
    info = context("hometone/intent/v1", intent_key_id(data))
    plaintext = unseal(device_key, data, prefix_bytes=PREFIX_BYTES, info=info, what=_PART)
    try:
        return str(parse_json(plaintext)["erase"])
    except (KeyError, TypeError, ValueError) as error:
        raise damaged(_PART) from error


def erase(cabinet: Cabinet, speaker_id: str) -> ErasureReceipt:
    """Erase a speaker who is in the register; the caller holds the lock."""
    cabinet.replace_in(cabinet.folder, INTENT, seal_intent(speaker_id, key_id=cabinet.key_id(), device_key=cabinet.device_key()))  # (1)
    return _finish(cabinet)


def settle(cabinet: Cabinet) -> ErasureReceipt | None:
    """Finish an erasure that was begun; `None` when there is none. The caller holds the lock.

    Raises:
        DamagedVaultError: The intent is not what was written.
        StorageError: The disk or the keyring still refuses; the intent stays.
    """
    return _finish(cabinet) if cabinet.disk.exists(cabinet.folder / INTENT) else None


def _finish(cabinet: Cabinet) -> ErasureReceipt:
    data = cabinet.disk.read(cabinet.folder / INTENT) or b""
    if intent_key_id(data) == cabinet.key_id():
        speaker_id = unseal_intent(data, device_key=cabinet.device_key())
        cabinet.rotate(cabinet.register().without_speaker(speaker_id))  # (2)
    removed = cabinet.tidy()  # (3)
    cabinet.disk.unlink(cabinet.folder / INTENT)  # (4): not overwritten, a half-erased intent could not be read
    cabinet.disk.sync_folder(cabinet.folder)
    return _receipt(cabinet.register().identity, removed, now_ms=cabinet.now_ms)


@contextmanager
def transaction(cabinet: Cabinet) -> Iterator[Register]:
    """Hold the lock, finish what was begun, and hand out the register as it is now."""
    with cabinet.locked():
        settle(cabinet)
        yield cabinet.register()
