"""A person's PIN or phrase: what is accepted, and how it becomes a key (Argon2id, RFC 9106).

The default cost (64 MiB, 3 passes, 4 lanes, about a quarter of a second) makes guessing slow, not impossible: four digits are ten
thousand guesses. They protect against the neighbour at the same laptop; against somebody who takes the disk, the device key does.
"""

import unicodedata
from dataclasses import dataclass

from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from hometone_keys.damage import damaged
from hometone_keys.sealing import KEY_BYTES
from hometone_shared.errors import UsageError

MINIMUM_CHARACTERS = 4
MAXIMUM_CHARACTERS = 1024
ARGON2_SALT_BYTES = 16


@dataclass(frozen=True, slots=True)
class Argon2Cost:
    """Cost of one guess. Bounded, because it is read from files.

    Args:
        memory_kib: Memory in KiB, at least 8 a lane, at most 1 GiB.
        iterations: Passes over the memory, 1 to 16.
        lanes: Parallel lanes, 1 to 16.

    Raises:
        DamagedVaultError: A figure outside these bounds; a hostile file must not stop the machine.
    """

    memory_kib: int
    iterations: int
    lanes: int

    def __post_init__(self) -> None:
        """Check the bounds."""
        if not (1 <= self.lanes <= 16 and 1 <= self.iterations <= 16 and 8 * self.lanes <= self.memory_kib <= 1 << 20):
            raise damaged("the cost of a key slot")

    def to_bytes(self) -> bytes:
        """Memory, iterations, lanes: four bytes each, big-endian."""
        return b"".join(value.to_bytes(4, "big") for value in (self.memory_kib, self.iterations, self.lanes))

    @classmethod
    def from_bytes(cls, data: bytes) -> "Argon2Cost":
        """Read what `to_bytes` wrote (12 bytes)."""
        return cls(*(int.from_bytes(data[at : at + 4], "big") for at in (0, 4, 8)))


STANDARD_COST = Argon2Cost(memory_kib=65_536, iterations=3, lanes=4)


def normalised(secret: str) -> bytearray:
    """The bytes that stand for a typed secret: NFKC (full-width digits equal plain ones), outer spaces dropped, UTF-8."""
    return bytearray(unicodedata.normalize("NFKC", secret).strip().encode(errors="surrogatepass"))


def check_new_secret(secret: str) -> None:
    """Refuse a secret that protects nothing.

    Raises:
        UsageError: Empty, shorter than four characters, or absurdly long.
    """
    length = len(unicodedata.normalize("NFKC", secret).strip())
    if length < MINIMUM_CHARACTERS:
        raise UsageError(
            f"the PIN or phrase has {length} characters; it needs at least {MINIMUM_CHARACTERS}",
            hint="choose four or more digits, or a few words",
        )
    if length > MAXIMUM_CHARACTERS:
        raise UsageError(f"the PIN or phrase is longer than {MAXIMUM_CHARACTERS} characters", hint="choose a shorter one")


def stretch(secret: bytes | bytearray, *, salt: bytes, cost: Argon2Cost) -> bytearray:
    """Argon2id (RFC 9106): 32 bytes from a secret and a 16-byte salt."""
    out = bytearray(KEY_BYTES)
    Argon2id(salt=salt, length=KEY_BYTES, iterations=cost.iterations, lanes=cost.lanes, memory_cost=cost.memory_kib).derive_into(
        bytes(secret), out
    )
    return out
