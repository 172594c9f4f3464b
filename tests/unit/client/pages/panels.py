"""A laptop that has joined a coordinator and knows a small panel, with people whose sounds are noise."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.unit.client.federation.records.conftest import Coordinator
from tests.unit.client.listening.conftest import Hall, a_panel

from hometone_client.federation.membership import join
from hometone_client.listening.panels import PanelShelf
from hometone_client.pages.house import House


@contextmanager
def a_hall(house: House, folder: Path) -> Iterator[Hall]:
    """The house with its panel; `hall.enrol(name)` adds a voice that is ready."""
    coordinator = Coordinator(folder)
    vault = house.vault(create=True)
    code = coordinator.invitations.issue(address=coordinator.descriptor.address).to_text()
    join(code, home=house.home, identity=vault.device, transport=coordinator.bridge)
    panel = a_panel(trials=8, traps=2)
    PanelShelf(house.home).add(panel.signed(coordinator.key).to_bytes())
    yield Hall(house.home, vault, coordinator, panel)
    coordinator.log.close()
