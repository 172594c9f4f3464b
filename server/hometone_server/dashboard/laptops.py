"""Laptops by their short numbers, and invitations. An invitation is the approval: it lets one laptop in, once, as long as it is valid.

What it may see: device ids, node keys, fresh codes while they are shown. What it must never do: show a code twice, or a laptop's network
address.
"""

from dataclasses import dataclass
from typing import Final

import segno
from starlette.responses import Response

from hometone_server.dashboard.visit import Act, Page, Visit
from hometone_server.flower.runs import NodeState
from hometone_server.records.devices import Devices
from hometone_server.records.invitations import LONGEST_DAYS, VALID_DAYS, Invitations
from hometone_shared.errors import FederationError, UsageError

_MOST_CODES: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class LaptopRow:
    """One laptop.

    Attributes:
        device: Its number.
        is_active: Whether it takes part.
        state: What Flower knows of it; None if that is not known.
    """

    device: str
    is_active: bool
    state: NodeState | None


@dataclass(frozen=True, slots=True)
class _Codes:
    """Codes that wait to be shown once."""

    texts: tuple[str, ...]
    days: int


def laptops(visit: Visit) -> Response:
    """All of them, and invitations that are open."""
    office = visit.office
    devices, nodes = Devices(office.log), office.nodes()
    keys = devices.node_keys()
    rows = [
        LaptopRow(device=device, is_active=entry.is_active, state=None if nodes is None else nodes.get(keys.get(device, b"")))
        for device, entry in devices.directory().entries.items()
    ]
    return visit.page(
        "laptops.html",
        laptops=rows,
        is_running=nodes is not None,
        invitations=Invitations(office.log).waiting(),
        usual_days=VALID_DAYS,
        most_days=LONGEST_DAYS,
        most_codes=_MOST_CODES,
        once=visit.desk.keep(None),
    )


def invite(visit: Visit) -> Response:
    """Make codes; a form that arrives twice makes them once."""
    count, days = visit.form.whole("count", 1), visit.form.whole("days", VALID_DAYS)
    if not 1 <= count <= _MOST_CODES or not 1 <= days <= LONGEST_DAYS:
        raise UsageError("so many invitations, or days, are not possible", hint=f"1 to {_MOST_CODES} invitations, 1 to {LONGEST_DAYS} days")
    name = visit.form.text("once")
    draft = visit.desk.draft(name)
    with draft.lock:
        if not draft.done:
            invitations = Invitations(visit.office.log)
            address = visit.office.home.address
            codes = tuple(invitations.issue(address=address, valid_days=days).to_text() for _ in range(count))
            draft.what, draft.done = _Codes(codes, days), f"/laptops/invitations/{name}"
    return visit.go(draft.done)


def codes(visit: Visit) -> Response:
    """The codes, this once."""
    draft = visit.desk.draft(visit.part_of_path("draft"))
    with draft.lock:
        found, draft.what = draft.what, None
    if not isinstance(found, _Codes):
        raise UsageError("these codes were shown already", hint="take them back and make new ones if they were not written down")
    pictures = [(text, segno.make(text, error="m").svg_data_uri(scale=5, border=4, dark="#000", light="#fff")) for text in found.texts]
    return visit.page("codes.html", codes=pictures, days=found.days)


def take_back(visit: Visit) -> Response:
    """Let nobody in by an invitation any more."""
    Invitations(visit.office.log).take_back(visit.form.text("name"))
    return visit.go("/laptops", notice="laptops-taken-back")


def ask_revoke(visit: Visit) -> Response:
    """What taking a laptop off the list means."""
    device = visit.part_of_path("device")
    entry = Devices(visit.office.log).directory().entries.get(device)
    if entry is None:
        raise UsageError("there is no laptop with this number", hint="compare it with the list of laptops")
    return visit.page("revoke.html", device=device, is_active=entry.is_active)


def revoke(visit: Visit) -> Response:
    """Take it off the list for good; once more changes nothing."""
    office, device = visit.office, visit.part_of_path("device")
    node_key = Devices(office.log).revoke(device)
    try:
        office.flower.forget(node_key)
    except FederationError as error:
        raise FederationError(
            "the laptop takes part in no round any more, but could not be told to disconnect", hint="repeat it when the coordinator runs"
        ) from error
    return visit.go("/laptops", notice="laptops-revoked", device=visit.wording.short(device))


PAGES: Final[tuple[Page | Act, ...]] = (
    Page("/laptops", laptops),
    Act(path="/laptops/invite", answer=invite, back="/laptops"),
    Page("/laptops/invitations/{draft}", codes),
    Act(path="/laptops/take-back", answer=take_back, back="/laptops"),
    Page("/laptops/{device}/revoke", ask_revoke),
    Act(path="/laptops/{device}/revoke", answer=revoke, back="/laptops/{device}/revoke"),
)
