"""Ordering a campaign: what is wished, then what it means and costs, and only then a yes.

What it must never do: order what nobody has looked at, or twice what was agreed to once.
"""

from typing import Final

from starlette.responses import Response

from hometone_server.dashboard.pictures import Figure, bars_of
from hometone_server.dashboard.rounds import require_idle
from hometone_server.dashboard.visit import Act, Page, Visit
from hometone_server.rounds.ordering import Wishes, place
from hometone_shared.errors import UsageError
from hometone_shared.records.plan import LARGEST_COHORT, RoundPurpose

_BARS: Final = 12


def ask(visit: Visit) -> Response:
    """What do you wish?"""
    return visit.page("order.html", purposes=[purpose.value for purpose in RoundPurpose], usual=Wishes())


def look(visit: Visit) -> Response:
    """Keep what was wished, to be looked at."""
    wishes = _wishes(visit)
    wishes.planned()
    with visit.office.journal() as journal:
        wishes.order(journal)
    return visit.go(f"/rounds/order/{visit.desk.keep(wishes)}")


def preview(visit: Visit) -> Response:
    """What it means and costs."""
    name = visit.part_of_path("draft")
    wishes = visit.desk.draft(name).what
    if not isinstance(wishes, Wishes):
        raise UsageError("this was looked at too long ago", hint="begin again")
    found = wishes.planned()
    step = max(1, -(-found.rounds // _BARS))
    rounds = sorted({*range(step, found.rounds + 1, step), found.rounds})
    figures = [
        Figure(
            name=visit.words("order-after", count=count),
            value=found.epsilon_after_rounds[count - 1],
            low=found.epsilon_after_rounds[count - 1],
            high=found.epsilon_after_rounds[count - 1],
        )
        for count in rounds
    ]
    return visit.page(
        "order_preview.html",
        draft=name,
        wishes=wishes,
        found=found,
        picture=bars_of(figures, most=max(found.epsilon, found.epsilon_after_rounds[-1])),
        here=visit.office.laptops_here(),
    )


def order(visit: Visit) -> Response:
    """Order it, once."""
    draft = visit.desk.draft(visit.part_of_path("draft"))
    with draft.lock:
        if not draft.done:
            wishes = draft.what
            if not isinstance(wishes, Wishes):
                raise UsageError("this was looked at too long ago", hint="begin again")
            visit.office.require_running()
            require_idle(visit)
            with visit.office.journal() as journal:
                draft.done = f"/rounds/{place(journal, wishes.order(journal), start=visit.office.flower.start).run}"
    return visit.go(draft.done, notice="order-done")


def _wishes(visit: Visit) -> Wishes:
    form, usual = visit.form, Wishes()
    try:
        purpose = RoundPurpose(form.text("purpose", usual.purpose.value))
    except ValueError as error:
        raise UsageError("there is no such kind of round", hint="choose one of the list") from error
    is_model = purpose is RoundPurpose.MODEL
    speakers = form.whole("speakers", usual.speakers)
    if speakers < 2:  # the command's own bound
        raise UsageError(f"a cohort has 2 to {LARGEST_COHORT} speakers, and at least 2 laptops, but not more laptops than speakers")
    return Wishes(
        purpose=purpose,
        speakers=speakers,
        rounds=form.whole("rounds", usual.rounds),
        epsilon=form.number("epsilon", usual.epsilon),
        laptops=form.maybe_whole("laptops"),
        minimum_cohort=form.whole("minimum", usual.minimum_cohort),
        dimension=form.maybe_whole("dimension") if is_model else None,
        step=form.number("step", usual.step),
        colluders=form.whole("colluders", usual.colluders),
        replays=form.whole("replays", usual.replays) if is_model else 0,
        weights=form.flag("weights") and is_model,
        roll_back=form.flag("roll_back") and purpose is RoundPurpose.EVALUATION,
        prepare_s=60 * form.number("prepare_minutes", usual.prepare_s / 60),
        gather_s=60 * form.number("gather_minutes", usual.gather_s / 60),
        attempts=form.whole("attempts", usual.attempts),
    )


PAGES: Final[tuple[Page | Act, ...]] = (
    Page("/rounds/order", ask),
    Act(path="/rounds/order", answer=look, back="/rounds/order"),
    Page("/rounds/order/{draft}", preview),
    Act(path="/rounds/order/{draft}", answer=order, back="/rounds/order/{draft}"),
)
