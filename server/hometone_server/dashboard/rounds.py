"""The timeline of rounds, one campaign, and going back to an older release.

What it may see: the journal. What it must never do: stop, take up or restore anything that was not asked for by a form of its own.
"""

from typing import Final

from starlette.responses import Response

from hometone_server.dashboard.facts import campaigns_of, going, one_campaign
from hometone_server.dashboard.visit import Act, Page, Visit
from hometone_server.rounds.ordering import is_at_work, take_up
from hometone_shared.errors import FederationError, UsageError

_SHOWN: Final = 20


def timeline(visit: Visit) -> Response:
    """All campaigns, newest first."""
    with visit.office.journal() as journal:
        campaigns = campaigns_of(journal)
    page = max(int(asked), 1) if (asked := visit.asked("page", "1")).isdecimal() and len(asked) < 6 else 1
    shown = campaigns[(page - 1) * _SHOWN : page * _SHOWN]
    withdrawn = visit.office.releases.withdrawn()
    releases = list(reversed(visit.office.releases.chain().releases))
    return visit.page(
        "rounds.html",
        campaigns=shown,
        page_number=page,
        has_more=len(campaigns) > page * _SHOWN,
        is_going=going(campaigns) is not None,
        releases=releases[:_SHOWN],
        newest=visit.office.releases.newest().number,
        withdrawn=withdrawn,
    )


def campaign(visit: Visit) -> Response:
    """One campaign."""
    with visit.office.journal() as journal:
        found = one_campaign(journal, visit.part_of_path("run"))
    return visit.page("campaign.html", found=found, mark=found.campaign.state.value, now=visit.office.wall())


def campaign_part(visit: Visit) -> Response:
    """Its live part."""
    with visit.office.journal() as journal:
        found = one_campaign(journal, visit.part_of_path("run"))
    state = found.campaign.state.value
    return visit.part("campaign_now.html", reload=state != visit.asked("mark"), found=found, now=visit.office.wall())


def stop(visit: Visit) -> Response:
    """Stop after the attempt that is under way; once more changes nothing."""
    run = visit.part_of_path("run")
    with visit.office.journal() as journal:
        journal.campaign(run)
        journal.stop(run)
    return visit.go(f"/rounds/{run}", notice="rounds-stopped")


def resume(visit: Visit) -> Response:
    """Go on; once more changes nothing."""
    office, run = visit.office, visit.part_of_path("run")
    with office.journal() as journal:
        found = one_campaign(journal, run)
        if found.is_open and is_at_work(office.home):
            return visit.go(f"/rounds/{run}")
        if not found.can_go_on and not found.is_open:
            raise UsageError("this campaign cannot be taken up again", hint="order a new one")
        office.require_running()
        require_idle(visit)
        take_up(journal, run, start=office.flower.start)
    return visit.go(f"/rounds/{run}", notice="rounds-resumed")


def require_idle(visit: Visit) -> None:
    """Whether nothing is at work.

    Raises:
        FederationError: Something is.
    """
    if is_at_work(visit.office.home):
        raise FederationError("another campaign is running", hint="wait for it, or stop it: hometone-coordinator round --stop")


def ask_restore(visit: Visit) -> Response:
    """What going back means."""
    release = visit.office.releases.release(_number(visit))
    return visit.page("restore.html", release=release, newest=visit.office.releases.newest())


def restore(visit: Visit) -> Response:
    """Go back, if nothing was released since it was asked; a form that arrives twice goes back once."""
    office, number = visit.office, _number(visit)
    newest = office.releases.newest()
    if newest.restores == number:
        return visit.go("/rounds")
    if visit.form.whole("newest", -1) != newest.number:
        raise UsageError("there is a newer release than the one that you saw", hint="look again before you go back")
    require_idle(visit)
    made = office.releases.restore(number)
    return visit.go("/rounds", notice="rounds-restored", release=number, number=made.number)


def _number(visit: Visit) -> int:
    text = visit.part_of_path("number")
    if not text.isdecimal() or len(text) > 9:
        raise UsageError("there is no such release")
    return int(text)


PAGES: Final[tuple[Page | Act, ...]] = (
    Page("/rounds", timeline),
    Page("/rounds/releases/{number}", ask_restore),
    Act(path="/rounds/releases/{number}", answer=restore, back="/rounds/releases/{number}"),
    Page("/rounds/{run}", campaign),
    Page("/rounds/{run}/now", campaign_part),
    Act(path="/rounds/{run}/stop", answer=stop, back="/rounds/{run}"),
    Act(path="/rounds/{run}/resume", answer=resume, back="/rounds/{run}"),
)
