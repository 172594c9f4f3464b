"""Pictures of the coordinator's dashboard: one that has a history of laptops, rounds, measurements and a withdrawal, all invented."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, get_args

from tests.browser.chromium import Language
from tests.populated_coordinator import LAPTOPS, FakeFlower, populate
from tests.replaying_federation import Federation
from tests.unit.server.conftest import Village
from tools.picture_studio import Studio

from hometone_server import founding
from hometone_server.dashboard.office import Office
from hometone_server.dashboard.server import web_server
from hometone_server.home import CoordinatorHome
from hometone_server.rounds.order import Order
from hometone_shared.records.plan import RoundPurpose
from hometone_shared.shared_model import SharedModel

_DESK: Final = (1100, 700)
_PAGES: Final = (
    ("/", "now"),
    ("/rounds", "rounds"),
    ("/balance", "balance"),
    ("/quality", "quality"),
    ("/withdrawals", "withdrawals"),
)


def dashboard(studio: Studio) -> None:
    """Now, rounds, balance, quality, withdrawals, and what a round would mean."""
    with served(studio) as (office, origin):
        for language in get_args(Language):
            link = f"{origin}/enter?key={office.keys.new()}"
            with studio.page(link, screen="desktop", language=language, size=_DESK) as page:
                for path, name in _PAGES:
                    page.goto(origin + path)
                    studio.take(page, f"dashboard-{name}-{language}")
                page.goto(f"{origin}/rounds/order")
                page.fill("[name=speakers]", "40")
                page.locator("#main button[type=submit]").click()
                studio.take(page, f"dashboard-preview-{language}")


@contextmanager
def served(studio: Studio) -> Iterator[tuple[Office, str]]:
    """Its pages while the block lasts: the office behind them, and their origin."""
    home = CoordinatorHome(studio.new_folder("coordinator"))
    founding.found(home, name="Village hall", address="192.0.2.77:8443")
    village, flower = Village(home, LAPTOPS), FakeFlower()
    populate(Federation(village, _order), flower)
    village.close()
    office = Office(home, flower=flower)
    server = web_server(office)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        yield office, f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join(10)
    office.close()


def _order(**changes: object) -> Order:
    model = SharedModel.of_this_version()
    fields = {"purpose": RoundPurpose.MODEL, "epsilon": 2.0, "delta": 1e-5, "clip_norm": 1.0, "minimum_cohort": 3, "gather_s": 0.0}
    return Order(**{**fields, "base_sha256": model.base_sha256, "basis_sha256": model.basis_sha256, **changes})
