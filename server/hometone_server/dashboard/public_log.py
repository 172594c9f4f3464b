"""The public log: its head, its witnesses, its entries, and a check of all of it.

What it may see: what everybody may see who can reach the coordinator. What it must never do: show what an entry holds; it shows its digest.
"""

from typing import Final

from starlette.responses import Response

from hometone_server.dashboard.visit import Act, Page, Visit
from hometone_server.records.cosignatures import Cosignatures
from hometone_server.records.listing import entries_by_kind, recent_entries
from hometone_shared.records import device, plan, receipt, registration, release, tombstone, withdrawn_releases

KINDS: Final[dict[str, str]] = {
    "device": device.KIND,
    "round-plan": plan.KIND,
    "release": release.KIND,
    "speaker": registration.KIND,
    "withdrawal": tombstone.WITHDRAWAL_KIND,
    "filed-receipt": receipt.FILED_KIND,
    "withdrawn-releases": withdrawn_releases.KIND,
}
_SHOWN: Final = 50
_MOST_DIGITS: Final = 9


def public_log(visit: Visit) -> Response:
    """Head, witnesses, and entries by kind, newest first."""
    log, cosignatures = visit.office.log, Cosignatures(visit.office.log)
    kind = visit.asked("kind")
    kind = kind if kind in KINDS else ""
    before = int(asked) if (asked := visit.asked("before")).isdecimal() and len(asked) <= _MOST_DIGITS else None
    rows = recent_entries(log, kind=KINDS.get(kind), before=before, most=_SHOWN)
    counts = entries_by_kind(log)
    named = {witness.name for witness in cosignatures.witnesses()}
    seen = {each.name: each for each in cosignatures.last_seen()}
    names = {full: short for short, full in KINDS.items()}
    return visit.page(
        "log.html",
        head=log.checkpoint(),
        note=log.head().decode(),
        witnesses=[(name, name in named, seen.get(name)) for name in sorted(named | set(seen))],
        kinds=list(KINDS),
        kind=kind,
        counts={short: counts.get(full, 0) for short, full in KINDS.items()},
        entries=[(position, names.get(full, ""), digest) for position, full, digest in rows],
        older=rows[-1][0] if len(rows) == _SHOWN else None,
    )


def check(visit: Visit) -> Response:
    """Compute the whole tree again, and check that it begins with what named witnesses have signed."""
    log = visit.office.log
    head = log.verify()
    Cosignatures(log).verify()
    return visit.go("/log", notice="log-checked", size=head.size)


PAGES: Final[tuple[Page | Act, ...]] = (Page("/log", public_log), Act(path="/log/check", answer=check, back="/log"))
