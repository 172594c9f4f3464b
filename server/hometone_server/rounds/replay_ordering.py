"""Ordering a replay: the command `replay` and the dashboard do it through here (docs/withdrawal.md, section 6).

1. A replay that was begun and not finished comes first: it is taken up again. One that is void, because the shared model went on without
   it, is given up.
2. Otherwise the scope is worked out and shown.
3. Only after a yes it is ordered like any campaign; where no round has to be repeated, releases are withdrawn at once.

What it may see: the log and the journal. What it must never do: order a replay whose scope nobody has seen.
"""

import secrets
from collections.abc import Sequence

from hometone_server.home import CoordinatorHome
from hometone_server.records.releases import Releases
from hometone_server.records.store import LogStore
from hometone_server.rounds.campaign import only_campaign
from hometone_server.rounds.journal import Campaign, CampaignState, Journal
from hometone_server.rounds.replay import Replay, is_void
from hometone_server.rounds.replay_scope import LogReading, ReplayScope, scope_of
from hometone_server.withdrawal.taking import Withdrawals


def unfinished_replay(journal: Journal, releases: Releases) -> Campaign | None:
    """(1) The replay that has to be finished first; those that are void are marked as stopped."""
    chain = releases.chain()
    for campaign in reversed(journal.campaigns()):
        if campaign.order.replay is None or campaign.state in {CampaignState.FINISHED, CampaignState.STOPPED}:
            continue
        if not is_void(chain, campaign.run, campaign.order.replay):
            return campaign
        journal.set_state(campaign.run, CampaignState.STOPPED, told="given up: the shared model went on without it")
    return None


def take_up_replay(home: CoordinatorHome, journal: Journal, campaign: Campaign, *, minimum_cohort: int | None = None) -> None:
    """(1) Let an unfinished replay be worked on again, with fewer laptops if that is wished.

    Raises:
        FederationError: It is at work.
        UsageError: The number of laptops is none that a round can have.
    """
    with only_campaign(home):
        if minimum_cohort is not None:
            journal.change_order(campaign.run, campaign.order.with_minimum_cohort(minimum_cohort))
        journal.set_state(campaign.run, CampaignState.ORDERED)


def replay_scope(log: LogStore, journal: Journal, *, pseudonyms: Sequence[str] = ()) -> ReplayScope:
    """(2) What a replay would do and cost.

    Args:
        log: The log.
        journal: The journal.
        pseudonyms: For whom; all who wish it if nobody is named.

    Raises:
        UsageError: Nobody waits for one, or somebody who was named has not withdrawn.
    """
    read = LogReading.of(log)
    return scope_of(read, journal=journal, pseudonyms=tuple(dict.fromkeys(pseudonyms or read.waiting())))


def order_replay(home: CoordinatorHome, journal: Journal, scope: ReplayScope, *, minimum_cohort: int | None = None) -> str:
    """(3) Write the replay into the journal; its run.

    Raises:
        FederationError: Another campaign is at work.
        UsageError: No round has to be repeated, or the number of laptops is none that a round can have.
    """
    run = secrets.token_hex(8)
    with only_campaign(home):
        journal.add_campaign(run, scope.order(minimum_cohort=minimum_cohort))
    return run


def withdraw_without_rounds(home: CoordinatorHome, log: LogStore, scope: ReplayScope) -> str:
    """(3) Withdraw releases where no round has to be repeated; what happened, in words.

    Raises:
        FederationError: Another campaign is at work.
    """
    with only_campaign(home):
        acting = Replay(log=log, releases=Releases.open(home, log), withdrawals=Withdrawals.open(home, log))
        return acting.withdraw(scope.withdraws, replaced_by=scope.newest, tombstones=scope.tombstones)
