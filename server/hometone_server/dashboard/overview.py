"""Now: laptops, the round under way, the newest release, and what somebody should look at.

What it may see: counts. What it must never do: hide that something waits because nobody asked for it.
"""

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.responses import Response

from hometone_server.certificates import RENEWAL_DAYS, Certificates
from hometone_server.dashboard.facts import CampaignFacts, campaigns_of, going
from hometone_server.dashboard.office import Office
from hometone_server.dashboard.visit import Act, Page, Visit
from hometone_server.records.cosignatures import Cosignatures
from hometone_server.records.devices import Devices
from hometone_server.records.invitations import Invitations
from hometone_server.rounds.journal import CampaignState
from hometone_server.rounds.ordering import is_at_work
from hometone_server.withdrawal.bundle import Filings
from hometone_server.withdrawal.states import WithdrawalState, withdrawal_states
from hometone_server.withdrawal.taking import Withdrawals
from hometone_shared.records.receipt import Treatment

_DAY_S: Final = 86_400
_AUTHORITY_DAYS: Final = 180
_LATE_S: Final = 60.0
_RENEWED_BY_ITSELF_DAYS: Final = RENEWAL_DAYS - 5
"""A running coordinator renews its certificate before; with less left, something keeps it from doing so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """Something to look at.

    Attributes:
        key: Of its words.
        place: Where to look, or "".
        values: What belongs into the words.
    """

    key: str
    place: str = ""
    values: Mapping[str, object] = field(default_factory=dict)


def states_of(office: Office) -> list[WithdrawalState]:
    """How all withdrawals stand."""
    return list(withdrawal_states(Withdrawals.open(office.home, office.log).tables, Filings.open(office.home, office.log)))


def waits_for_replay(state: WithdrawalState) -> bool:
    """Whether somebody wished the shared model to be repeated and it has not been."""
    return state.treatment is not None and state.treatment.treatment is Treatment.REPLAY_PENDING


def attention(office: Office, campaigns: tuple[CampaignFacts, ...]) -> Iterator[Attention]:
    """What needs somebody's attention, the most urgent first."""
    if office.nodes() is None:
        yield Attention(key="attention-not-running")
    yield from _campaigns(office, campaigns)
    states = states_of(office)
    waiting = sum(map(waits_for_replay, states))
    if waiting:
        yield Attention(key="attention-replay", place="/withdrawals", values={"count": waiting})
    pending = sum(bool(state.pending) and not waits_for_replay(state) for state in states)
    if pending:
        yield Attention(key="attention-withdrawals", place="/withdrawals", values={"count": pending})
    yield from _witnesses(office)
    yield from _certificates(office)


def _campaigns(office: Office, campaigns: tuple[CampaignFacts, ...]) -> Iterator[Attention]:
    if not campaigns:
        return
    newest = campaigns[0]
    place, values = f"/rounds/{newest.campaign.run}", {"run": newest.campaign.run[:8]}
    if newest.campaign.state is CampaignState.FAILED:
        yield Attention(key="attention-failed", place=place, values=values)
    open_campaign = going(campaigns)
    if open_campaign is not None and not is_at_work(office.home) and office.wall() - open_campaign.campaign.ordered_at > _LATE_S:
        run = open_campaign.campaign.run
        yield Attention(key="attention-stuck", place=f"/rounds/{run}", values={"run": run[:8]})


def _witnesses(office: Office) -> Iterator[Attention]:
    kept = Cosignatures(office.log)
    size, now = office.log.checkpoint().size, office.wall()
    seen = {each.name: each for each in kept.last_seen()}
    for witness in kept.witnesses():
        last = seen.get(witness.name)
        if last is None:
            yield Attention(key="attention-witness-never", place="/log", values={"name": witness.name})
        elif now - last.at_s > _DAY_S:
            behind = size - last.size
            yield Attention(key="attention-witness-late", place="/log", values={"name": witness.name, "behind": behind})


def _certificates(office: Office) -> Iterator[Attention]:
    now = dt.datetime.fromtimestamp(office.wall(), dt.UTC)
    server, authority = Certificates(office.home.certificates).ends()
    for key, ends, days in (("server", server, _RENEWED_BY_ITSELF_DAYS), ("authority", authority, _AUTHORITY_DAYS)):
        if ends - now < dt.timedelta(days=days):
            yield Attention(key=f"attention-certificate-{key}", values={"day": ends.date().isoformat()})


def _now(visit: Visit) -> tuple[dict[str, Any], str]:
    """What the live part shows, and what stands for its campaign's state."""
    office = visit.office
    with office.journal() as journal:
        open_campaign = going(campaigns_of(journal))
    values = {
        "laptops": len(Devices(office.log).directory().active),
        "here": office.laptops_here(),
        "invitations": Invitations(office.log).open(),
        "release": office.releases.newest(),
        "going": open_campaign,
        "now": office.wall(),
    }
    return values, "" if open_campaign is None else open_campaign.campaign.run


def overview(visit: Visit) -> Response:
    """The page."""
    with visit.office.journal() as journal:
        campaigns = campaigns_of(journal)
    values, mark = _now(visit)
    return visit.page("overview.html", attention=list(attention(visit.office, campaigns)), mark=mark, **values)


def overview_part(visit: Visit) -> Response:
    """Its live part; the whole page is asked for when a campaign begins or ends."""
    values, mark = _now(visit)
    return visit.part("overview_now.html", reload=mark != visit.asked("mark"), mark=mark, **values)


PAGES: Final[tuple[Page | Act, ...]] = (Page("/", overview), Page("/now", overview_part))
