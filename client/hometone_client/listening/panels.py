"""The panels that this laptop knows: `<home>/listening/<number>.json`, each the coordinator's signed envelope.

They hold nothing of a person and are not sealed. What is read is verified each time under the pinned coordinator's key, and what does not
verify is as if it were not there. What it may see: public records. What it must never do: take a panel of somebody else.
"""

from pathlib import Path
from typing import Final

from hometone_client.federation.coordinator_records import Transport
from hometone_client.federation.membership import Membership
from hometone_client.federation.small_files import read_small_file, replace_small_file
from hometone_shared.errors import ProtocolError, UsageError
from hometone_shared.records.panel import Panel
from hometone_shared.records.signing import Envelope

FOLDER: Final = "listening"
LONGEST_FILE: Final = 1 << 20


class PanelShelf:
    """The panels of one laptop."""

    def __init__(self, home: Path) -> None:
        """Nothing is read yet.

        Args:
            home: The laptop's `--home`.
        """
        self._home = home

    def add(self, data: bytes) -> Panel:
        """Take a panel in; the same one again changes nothing.

        Args:
            data: As the coordinator gave it out.

        Raises:
            UsageError: This laptop has joined no coordinator.
            ProtocolError: It is not a panel of that coordinator.
            StorageError: The disk refuses.
        """
        if len(data) > LONGEST_FILE:
            raise ProtocolError("this is too long for a listening panel")
        envelope = Envelope.from_bytes(data)
        panel = Panel.from_envelope(envelope, key=self._membership().coordinator_key)
        replace_small_file(self._home / FOLDER / f"{panel.number}.json", envelope.to_bytes())
        return panel

    def fetch(self, *, transport: Transport | None = None) -> Panel:
        """Ask the coordinator for its newest panel, and take it in.

        Args:
            transport: Another way to the coordinator, for tests.

        Raises:
            UsageError: This laptop has joined no coordinator.
            FederationError: It cannot be reached, or has no panel.
            ProtocolError: What it answered is not a panel of its own.
        """
        with self._membership().records(transport=transport) as records:
            return self.add(records.panel())

    def panels(self) -> tuple[Panel, ...]:
        """What there is, newest first; nothing where no coordinator was joined.

        Raises:
            StorageError: The disk refuses.
        """
        membership = Membership.load(self._home)
        folder = self._home / FOLDER
        if membership is None or not folder.is_dir():
            return ()
        found = []
        for path in sorted(folder.glob("*.json")):
            try:
                panel = Panel.from_envelope(Envelope.from_bytes(read_small_file(path) or b""), key=membership.coordinator_key)
            except ProtocolError:
                continue
            if path.stem == panel.number:
                found.append(panel)
        return tuple(sorted(found, key=lambda panel: (panel.made, panel.number), reverse=True))

    def find(self, number: str | None = None) -> Panel:
        """One of them.

        Args:
            number: Its number or the beginning of it; the newest by default.

        Raises:
            UsageError: There is none.
        """
        known = self.panels()
        chosen = [panel for panel in known if panel.number.startswith(number or "")]
        if not chosen:
            hint = "hometone panel list shows them" if known else "hometone panel fetch, or: hometone panel add FILE"
            raise UsageError("there is no such listening panel on this computer", hint=hint)
        return chosen[0]

    def _membership(self) -> Membership:
        membership = Membership.load(self._home)
        if membership is None:
            raise UsageError("a listening panel comes from a coordinator, and this computer has joined none", hint="hometone join CODE")
        return membership
