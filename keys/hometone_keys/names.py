"""What people may call a voice, and when two names are the same.

Names of speakers and of guests obey the same rules. They are shown on this laptop only and never become the name of a file.
"""

import unicodedata

from hometone_shared.errors import UsageError

MAXIMUM_NAME_CHARACTERS = 200


def checked_name(name: str) -> str:
    """A name as it is kept: NFC, without outer spaces.

    Raises:
        UsageError: It is empty, longer than 200 characters, or holds something that is not printed.
    """
    shown = unicodedata.normalize("NFC", name).strip()
    if not 1 <= len(shown) <= MAXIMUM_NAME_CHARACTERS or not shown.isprintable():
        raise UsageError(
            f"a name has 1 to {MAXIMUM_NAME_CHARACTERS} printable characters", hint="letters of any script, signs and spaces will do"
        )
    return shown


def folded(name: str) -> str:
    """What two names have in common that are taken for the same: NFKC, case folded."""
    return unicodedata.normalize("NFKC", name).strip().casefold()
