"""The two ends of a replay: going back before its first round, and withdrawing what it replaces after its last one.

1. `begin`: a provisional release brings back the one before the first repeated round. It carries the number of the replay's run, so that
   it is made once, however often the replay is taken up again. If anything else was released since the replay was ordered, the order is
   void.
2. The rounds go on from there (`campaign`), each from the replay's own newest release. All but the last are provisional: laptops learn on
   top of them and make no voices on them. A replay that fails or is stopped has changed nothing for anybody.
3. `conclude`: `hometone/withdrawn-releases/v1` goes into the log, then a receipt for each of those who had withdrawn, then the vectors
   leave this disk. Each step once more changes nothing, so a killed process takes up at the one where it was.

What it must never do: withdraw a release before the one that replaces it is in the log.
"""

from collections.abc import Iterable
from contextlib import suppress

from hometone_server.records.releases import Releases
from hometone_server.records.store import LogStore
from hometone_server.rounds.order import ReplayOrder
from hometone_server.withdrawal.taking import Withdrawals
from hometone_shared.errors import FederationError, UsageError
from hometone_shared.records.release import Release, ReleaseChain, ReleaseStatus
from hometone_shared.records.withdrawn_releases import WithdrawnReleases


class Replay:
    """Begins and concludes replays; whoever calls holds the lock of campaigns."""

    def __init__(self, *, log: LogStore, releases: Releases, withdrawals: Withdrawals) -> None:
        """Take what replays need.

        Args:
            log: The log.
            releases: Its releases.
            withdrawals: Files the receipts.
        """
        self._log = log
        self._releases = releases
        self._withdrawals = withdrawals

    def begin(self, run: str, order: ReplayOrder) -> None:
        """(1) Go back, unless that is done.

        Raises:
            FederationError: The shared model has changed since the replay was ordered.
        """
        chain = self._releases.chain()
        if is_void(chain, run, order):
            raise FederationError(
                "the shared model has changed since this replay was ordered", hint="order it again: hometone-coordinator replay"
            )
        if _own(chain, run):
            return
        self._releases.restore(order.restores, run=run, status=ReleaseStatus.PROVISIONAL)

    def newest(self, run: str) -> Release:
        """(2) Where the replay is.

        Raises:
            FederationError: It has not begun.
        """
        own = _own(self._releases.chain(), run)
        if not own:
            raise FederationError("this replay has not begun")
        return own[-1]

    def conclude(self, run: str, order: ReplayOrder) -> str:
        """(3) Withdraw what was replaced.

        Returns:
            What happened, in words.
        """
        return self.withdraw(order.withdraws, replaced_by=self.newest(run).number, tombstones=order.tombstones)

    def withdraw(self, withdraws: tuple[int, ...], *, replaced_by: int, tombstones: Iterable[str]) -> str:
        """(3) The same where no round had to be repeated.

        Args:
            withdraws: Numbers of the releases, rising; they may be none.
            replaced_by: The release that stands in their place.
            tombstones: Digests of the tombstones that this answers.

        Returns:
            What happened, in words.
        """
        if withdraws:
            with self._log.writing() as change:
                change.append(WithdrawnReleases(releases=withdraws, replaced_by=replaced_by).signed(change.signing_key))
        for tombstone in tombstones:
            with suppress(UsageError):  # a tombstone that asks nothing of the shared model, beside one that does
                self._withdrawals.finish_replay((tombstone,), replaced_by=replaced_by)
        self._releases.drop_withdrawn()
        return f"release {replaced_by} holds nothing of those who withdrew; {len(withdraws)} earlier releases were withdrawn"


def is_void(chain: ReleaseChain, run: str, order: ReplayOrder) -> bool:
    """Whether something else was released since a replay was ordered."""
    newest_own = max((release.number for release in _own(chain, run)), default=None)
    if newest_own is not None:
        return newest_own != len(chain.releases) - 1
    return chain.newest_current is None or chain.newest_current.number != order.last


def _own(chain: ReleaseChain, run: str) -> tuple[Release, ...]:
    return tuple(release for release in chain.releases if release.run == run)
