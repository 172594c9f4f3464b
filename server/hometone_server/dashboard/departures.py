"""Withdrawals and how they stand, and repeating rounds without those who went, as the commands `withdrawals` and `replay` do.

What it may see: what is in the public log. What it must never do: show a pseudonym in full, or put one into an address.
"""

from dataclasses import dataclass
from typing import Final

from starlette.responses import Response

from hometone_server.dashboard.facts import one_campaign
from hometone_server.dashboard.overview import states_of, waits_for_replay
from hometone_server.dashboard.rounds import require_idle
from hometone_server.dashboard.visit import Act, Page, Visit
from hometone_server.records.devices import Devices
from hometone_server.rounds.ordering import started
from hometone_server.rounds.replay_ordering import order_replay, replay_scope, take_up_replay, unfinished_replay, withdraw_without_rounds
from hometone_server.rounds.replay_scope import ReplayScope
from hometone_shared.errors import UsageError
from hometone_shared.records.receipt import Role

REPLAY: Final = "/withdrawals/replay"


@dataclass(frozen=True, slots=True)
class _Asked:
    """A scope that was shown."""

    scope: ReplayScope


def departures(visit: Visit) -> Response:
    """All withdrawals, newest first."""
    states = list(reversed(states_of(visit.office)))
    return visit.page("withdrawals.html", states=states, waiting=sum(map(waits_for_replay, states)), roles=Role)


def departure(visit: Visit) -> Response:
    """One, with each answer; its address is its place in the log."""
    place = visit.part_of_path("position")
    for state in states_of(visit.office):
        if str(state.filed.position) == place:
            return visit.page("withdrawal.html", state=state)
    raise UsageError("there is no such withdrawal", hint="go back to the list")


def ask_replay(visit: Visit) -> Response:
    """What it would do and cost; or that an earlier one goes on."""
    office = visit.office
    with office.journal() as journal:
        unfinished = unfinished_replay(journal, office.releases)
        if unfinished is not None:
            found = one_campaign(journal, unfinished.run)
            return visit.page("replay.html", found=found, scope=None, draft="", laptops=0, here=office.laptops_here())
        try:
            scope = replay_scope(office.log, journal)
        except UsageError as error:
            return visit.again("/withdrawals", error=error)
    laptops = len(Devices(office.log).directory().active)
    draft = visit.desk.keep(_Asked(scope))
    return visit.page("replay.html", found=None, scope=scope, draft=draft, laptops=laptops, here=office.laptops_here())


def replay(visit: Visit) -> Response:
    """Begin what was shown, once, or go on with what was begun."""
    office, least = visit.office, visit.form.maybe_whole("minimum")
    with office.journal() as journal:
        unfinished = unfinished_replay(journal, office.releases)
        if unfinished is not None:
            if one_campaign(journal, unfinished.run).is_open and not visit.form.flag("again"):
                return visit.go(f"/rounds/{unfinished.run}")
            office.require_running()
            take_up_replay(office.home, journal, unfinished, minimum_cohort=least)
            started(journal, unfinished.run, start=office.flower.start)
            return visit.go(f"/rounds/{unfinished.run}", notice="rounds-resumed")
        draft = visit.desk.draft(visit.form.text("draft"))
        with draft.lock:
            if not draft.done:
                if not isinstance(draft.what, _Asked) or replay_scope(office.log, journal) != draft.what.scope:
                    raise UsageError("something has changed since you looked", hint="look again at what would be done")
                require_idle(visit)
                if not draft.what.scope.rounds:
                    withdraw_without_rounds(office.home, office.log, draft.what.scope)
                    draft.done = "/withdrawals"
                else:
                    office.require_running()
                    run = order_replay(office.home, journal, draft.what.scope, minimum_cohort=least)
                    draft.done = f"/rounds/{run}"
                    started(journal, run, start=office.flower.start)
    return visit.go(draft.done, notice="replay-done")


PAGES: Final[tuple[Page | Act, ...]] = (
    Page("/withdrawals", departures),
    Page(REPLAY, ask_replay),
    Act(path=REPLAY, answer=replay, back=REPLAY),
    Page("/withdrawals/{position}", departure),
)
