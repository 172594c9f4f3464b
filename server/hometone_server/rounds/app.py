"""What a run of the bundle does: works through the campaign that the run's settings name (docs/decisions/0008)."""

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hometone_server.flower.bundle import bundle_sha256
from hometone_server.home import HOME_VARIABLE, CoordinatorHome
from hometone_server.records.store import LogStore
from hometone_server.rounds.campaign import CampaignRunner
from hometone_server.rounds.driver import Exchange
from hometone_server.rounds.journal import Journal
from hometone_shared.errors import UsageError

_LOG = logging.getLogger("hometone.rounds")


def run(exchange: Exchange, run_config: Mapping[str, Any]) -> None:
    """Work through a campaign.

    Args:
        exchange: The way to the laptops.
        run_config: Settings of the run; `campaign` names it.

    Raises:
        UsageError: There is no such campaign, or nobody said whose.
        FederationError: A round failed too often.
    """
    folder = os.environ.get(HOME_VARIABLE)
    if not folder:
        raise UsageError("nobody said which coordinator this is", hint="start it: hometone-coordinator serve")
    home = CoordinatorHome(Path(folder)).require()
    journal = Journal(home.rounds_db)
    try:
        with LogStore.open(home) as log:
            runner = CampaignRunner(
                home=home, journal=journal, log=log, bundle_sha256=bundle_sha256(), told=lambda text: _LOG.info("%s", text)
            )
            runner.run(str(run_config["campaign"]), exchange)
    finally:
        journal.close()
