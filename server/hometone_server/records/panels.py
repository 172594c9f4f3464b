"""The listening panels that this coordinator has made (docs/listening.md, section 2): `<home>/panels/<number>.json`, signed envelopes.

What it may see: what whoever runs the coordinator wrote. What it must never do: sign a panel that laptops would refuse, or hold a rating.
"""

import secrets
from typing import Any, Final

from hometone_server.home import CoordinatorHome, write_private
from hometone_shared.errors import ProtocolError, StorageError, UsageError
from hometone_shared.records.panel import NUMBER_CHARACTERS, Panel
from hometone_shared.records.signing import Envelope

LONGEST_DRAFT: Final = 1 << 20
WRITTEN: Final = ("title", "sentences", "scales", "trials", "traps", "baseline")
"""What a draft holds; number and time are added."""


def panel_of_draft(draft: Any, *, made: int) -> Panel:
    """A panel from what somebody wrote.

    Args:
        draft: Plain JSON: an object with the fields of `WRITTEN`.
        made: Seconds since 1970.

    Raises:
        UsageError: Something is missing, left over, or outside its limits; says what.
    """
    if not isinstance(draft, dict) or set(draft) != set(WRITTEN):
        raise UsageError("the draft of a panel is not complete", hint=f"it has exactly these parts: {', '.join(WRITTEN)}")
    scales = draft["scales"]
    ordered = sorted(scales) if isinstance(scales, list) and all(isinstance(scale, str) for scale in scales) else scales
    try:
        return Panel.from_document({**draft, "scales": ordered, "made": made, "number": secrets.token_hex(NUMBER_CHARACTERS // 2)})
    except ProtocolError as error:
        raise UsageError(error.message, hint="change the draft; docs/listening.md has an example") from error


class Panels:
    """The panels of one coordinator."""

    def __init__(self, home: CoordinatorHome) -> None:
        """Nothing is read yet.

        Args:
            home: The coordinator's folder.
        """
        self._home = home

    def sign(self, panel: Panel) -> Envelope:
        """Sign a panel and offer it to laptops from now on.

        Raises:
            StorageError: The disk refuses.
        """
        envelope = panel.signed(self._home.signing_key())
        write_private(self._home.panels / f"{panel.number}.json", envelope.to_bytes())
        return envelope

    def all(self) -> tuple[tuple[Panel, Envelope], ...]:
        """All of them, newest first; a file that is not a panel of this coordinator is as if it were not there.

        Raises:
            StorageError: The disk refuses.
        """
        found = []
        key = Envelope.from_bytes(self._home.descriptor.read_bytes()).key
        for path in sorted(self._home.panels.glob("*.json")):
            try:
                envelope = Envelope.from_bytes(path.read_bytes())
                found.append((Panel.from_envelope(envelope, key=key), envelope))
            except ProtocolError:
                continue
            except OSError as error:
                raise StorageError("the coordinator's folder cannot be read", hint="check its permissions") from error
        return tuple(sorted(found, key=lambda pair: (pair[0].made, pair[0].number), reverse=True))

    def newest(self) -> Envelope:
        """The one that laptops get.

        Raises:
            UsageError: There is none.
        """
        found = self.all()
        if not found:
            raise UsageError("this coordinator has no listening panel", hint="hometone-coordinator panel new FILE")
        return found[0][1]
