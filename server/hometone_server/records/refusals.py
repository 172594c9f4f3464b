"""Why a coordinator does not take a registration, a tombstone, a receipt or a cosignature (docs/log.md, "Asking for it")."""

from hometone_shared.errors import FederationError


class FilingRefusedError(FederationError):
    """It is well made and does not count here.

    Attributes:
        code: `unknown`, `replayed`, `elsewhere`, `used`, `refused` or `busy`.
    """

    def __init__(self, code: str, message: str, *, hint: str = "") -> None:
        """Say why."""
        super().__init__(message, hint=hint)
        self.code = code
