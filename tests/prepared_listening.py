"""A laptop on which a listening test can be taken: for browser tests and for pictures."""

from dataclasses import replace

import numpy as np
from tests.opened_laptop import Opened
from tests.unit.client.federation.records.conftest import Coordinator
from tests.unit.client.listening.conftest import Hall, a_panel

from hometone_client.federation.membership import join
from hometone_client.listening.clips import keep_clips
from hometone_client.listening.panels import PanelShelf

SECONDS = 0.5
"""Length of each clip."""


def prepare(opened: Opened, names: tuple[str, ...]) -> None:
    """A laptop that has joined, with a small panel, and people whose clips are noise, each clip another one."""
    coordinator = Coordinator(opened.laptop.village.folder / "hall")
    with opened.laptop.vault() as vault:
        code = coordinator.invitations.issue(address=coordinator.descriptor.address).to_text()
        join(code, home=opened.home, identity=vault.device, transport=coordinator.bridge)
        panel = a_panel(trials=8, traps=2)
        PanelShelf(opened.home).add(panel.signed(coordinator.key).to_bytes())
        hall = Hall(opened.home, vault, coordinator, panel)
        for name in names:
            speaker_id = hall.enrol(name, languages=("en", "zh", "mixed"), traps=("en", "zh"))
            chance = np.random.default_rng(list(name.encode()))
            with hall.room(speaker_id) as room:
                keep_clips(
                    room.vault,
                    [
                        (
                            replace(clip, seconds=SECONDS),
                            chance.uniform(-0.1, 0.1, round(SECONDS * 24_000)).astype(np.float32),
                        )
                        for clip, _ in hall.clips(("en", "zh", "mixed"), ("en", "zh"))
                    ],
                )
    coordinator.log.close()
