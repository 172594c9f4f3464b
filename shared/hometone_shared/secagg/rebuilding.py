"""Giving secrets back from shares of which some may be wrong (docs/protocol.md, section 7).

Whether a secret is the right one is known from elsewhere (its commitment, its public key). When the shares tried first do not give it,
other subsets are tried, a bounded number of times for the whole round: each share left out in turn, then random subsets. Once a secret is
found, the polynomial tells whose shares were wrong, and those come last from then on.
"""

import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar

from hometone_shared.errors import FederationError, ProtocolError
from hometone_shared.secagg.shamir import combine, interpolate

T = TypeVar("T")
ATTEMPTS: Final = 2000


@dataclass(slots=True)
class Rebuilder:
    """Gives back the secrets of one round.

    Attributes:
        needed: How many shares give a secret back.
        attempts_left: How many more subsets may be tried beyond the first of each secret.
        suspects: Devices that gave a wrong share.
    """

    needed: int
    attempts_left: int = ATTEMPTS
    suspects: set[str] = field(default_factory=set)

    def rebuild(self, shares: Mapping[str, tuple[int, bytes]], *, accept: Callable[[bytes], T | None]) -> T:
        """Give one secret back.

        Args:
            shares: From holder to abscissa and share.
            accept: What the secret stands for, or None if it is not the right one.

        Raises:
            FederationError: There are too few shares, or no subset that was tried gives the right secret.
        """
        if len(shares) < self.needed:
            raise FederationError("too few laptops stayed to open the sum", hint="start another attempt of the round")
        holders = sorted(shares, key=lambda holder: (holder in self.suspects, holder))
        for number, chosen in enumerate(self._subsets(holders)):
            if number:
                self.attempts_left -= 1
            subset = dict(shares[holder] for holder in chosen)
            try:
                found = accept(combine(subset))
            except ProtocolError:
                found = None
            if found is not None:
                if number:
                    self._suspect(subset, shares)
                return found
            if self.attempts_left <= 0:
                break
        raise FederationError("the shares that laptops gave do not fit together", hint="start another attempt of the round")

    def _subsets(self, holders: list[str]) -> Iterator[list[str]]:
        """Those to be trusted most; then each of them replaced by the next; then random ones. No end while there is a choice."""
        first, spare = holders[: self.needed], holders[self.needed :]
        yield first
        if not spare:
            return
        for leaving in reversed(first):
            yield [spare[0] if holder == leaving else holder for holder in first]
        while True:
            yield secrets.SystemRandom().sample(holders, self.needed)

    def _suspect(self, right: Mapping[int, bytes], shares: Mapping[str, tuple[int, bytes]]) -> None:
        for holder, (abscissa, share) in shares.items():
            if interpolate(right, abscissa) != int.from_bytes(share, "big"):
                self.suspects.add(holder)
