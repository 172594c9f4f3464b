"""E-mail and web addresses, spoken: words stay words, the marks between them get their names."""

import re
from collections.abc import Callable, Mapping

ADDRESS = re.compile(
    r"(?:https?://|www\.)[A-Za-z0-9._~/?#@!$&'()*+;=%:-]*[A-Za-z0-9/]"
    r"|[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}"
    r"|(?<![A-Za-z0-9.@])[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.(?:com|org|net|edu|gov|cn|io|de|fr|it|es|br|pt|uk|eu)\b(?:/[A-Za-z0-9._~/?#=&%-]*[A-Za-z0-9])?"
)
_SCHEME = re.compile(r"^https?://")
_PARTS = re.compile(r"[A-Za-z]+|\d+|.")


def spell_address(address: str, *, names: Mapping[str, str], number: Callable[[str], str]) -> str:
    """An address in words, with spaces between its parts; the scheme is not said.

    Args:
        address: What `ADDRESS` matched.
        names: Spoken names of the marks ("." -> "dot").
        number: How a run of digits is said.
    """
    parts = _PARTS.findall(_SCHEME.sub("", address))
    spoken = [number(part) if part.isdigit() else part if part.isalpha() else names.get(part, "") for part in parts]
    spoken = ["W W W" if part == "www" else part for part in spoken]
    return " " + " ".join(part for part in spoken if part) + " "
