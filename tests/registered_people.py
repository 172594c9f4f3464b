"""A running coordinator with people who are registered: what the public page for withdrawing needs to be tried, measured or photographed.

All are speakers of one real laptop that has joined. Half of them were there while the log had a plan of a round, so that the page asks
them about the shared model; the plan is written into the log by hand, because a whole round takes a minute.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.plans import a_plan
from tests.village import Laptop, Village, free_port, write_name_of_base

from hometone_server.home import CoordinatorHome
from hometone_server.records.store import LogStore
from hometone_shared.withdrawal.recovery import RecoverySecret

PAGE = "/hometone/withdraw"


@dataclass
class RegisteredPeople:
    """Who is there.

    Attributes:
        village: The coordinator and the laptop.
        laptop: The laptop.
        with_round: Secrets of people during whose time there was a round; whoever takes one has it alone.
        without_round: The others.
    """

    village: Village
    laptop: Laptop
    with_round: list[RecoverySecret] = field(default_factory=list)
    without_round: list[RecoverySecret] = field(default_factory=list)

    @property
    def origin(self) -> str:
        """Of the coordinator's pages."""
        return f"https://{self.village.address}"

    @property
    def page(self) -> str:
        """The address of the page."""
        return self.origin + PAGE


@contextmanager
def registered_people(folder: Path, *, each: int) -> Iterator[RegisteredPeople]:
    """Everything runs while the block lasts; `each` people of both kinds."""
    with Village(folder, port=free_port(), models=write_name_of_base(folder / "models")) as village:
        village.found()
        laptop = village.laptop("laptop")
        _enrol(laptop, "early", each)
        laptop.join(village.coordinator("invite", "--count", 1).ok()["codes"][0], minimum_cohort=2)
        assert laptop.command("sync").ok()["registered"] == each
        home = CoordinatorHome(village.root)
        with LogStore.open(home) as log:
            log.append(a_plan(noise_multiplier=2.0).signed(home.signing_key({})))
        _enrol(laptop, "late", each)
        assert laptop.command("sync").ok()["registered"] == each
        secrets = laptop.recovery_secrets()
        yield RegisteredPeople(village, laptop, with_round=secrets[:each], without_round=secrets[each:])


def _enrol(laptop: Laptop, name: str, count: int) -> None:
    before = len(laptop.ids)
    for number in range(count):
        laptop.enrol(f"{name} {number}")
    laptop.contribute_quickly(laptop.ids[before:])
