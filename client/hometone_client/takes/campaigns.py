"""Prompt campaigns: five fixed sentences, the same for everyone, so that voices can be compared (requirement 1).

A campaign is data. Those that come with Hometone lie in `data/campaigns/*.json`; a coordinator adds more by putting files of the same
form into a folder of their own, named to `campaigns`. Read slowly the five sentences give about one minute of speech (requirement 2).

    {"id": "zh-everyday", "language": "zh", "title": "...", "sentences": ["...", "...", "...", "...", "..."]}
"""

import importlib.resources
import re
from pathlib import Path
from typing import Annotated, Final

import pydantic

from hometone_shared.errors import UsageError

SENTENCES: Final = 5
MAX_SENTENCE: Final = 400
_MAX_FILE_BYTES: Final = 64 * 1024


def _readable(sentence: str) -> str:
    """Refuse what cannot be shown on one line and read aloud; `_sentence` of pydantic below."""
    if sentence != sentence.strip() or not sentence.isprintable():
        raise ValueError("a sentence is one line without spaces around it")
    if not re.search(r"\w", sentence):
        raise ValueError("a sentence has words")
    return sentence


_Sentence = Annotated[str, pydantic.Field(min_length=2, max_length=MAX_SENTENCE), pydantic.AfterValidator(_readable)]


class Campaign(pydantic.BaseModel):
    """Five sentences that everybody reads.

    Attributes:
        id: Short name for commands and records: small letters, digits, hyphens.
        language: ISO 639 code, in which the sentences are read and transcribed.
        title: For people, in that language.
        sentences: Exactly five, all different.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, strict=True)

    id: Annotated[str, pydantic.Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=64)]
    language: Annotated[str, pydantic.Field(pattern=r"^[a-z]{2,3}$")]
    title: Annotated[str, pydantic.Field(min_length=1, max_length=120), pydantic.AfterValidator(_readable)]
    sentences: Annotated[tuple[_Sentence, ...], pydantic.Field(min_length=SENTENCES, max_length=SENTENCES, strict=False)]

    @pydantic.field_validator("sentences")
    @classmethod
    def _different(cls, sentences: tuple[str, ...]) -> tuple[str, ...]:
        """Two equal sentences would be one prompt with two takes."""
        if len(set(sentences)) != len(sentences):
            raise ValueError("two sentences are the same")
        return sentences


def parse_campaign(data: bytes) -> Campaign:
    """A campaign from the bytes of its file.

    Raises:
        UsageError: Not UTF-8 JSON of the form above; the hint says which field and why.
    """
    if len(data) > _MAX_FILE_BYTES:
        raise UsageError("this is not a campaign", hint="the file is far too large for five sentences")
    try:
        return Campaign.model_validate_json(data)
    except pydantic.ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "the file"
        raise UsageError("this is not a campaign", hint=f"{field}: {first['msg'].removeprefix('Value error, ')}") from error


def campaigns(folder: Path | None = None) -> dict[str, Campaign]:
    """All campaigns by id: those of Hometone and those in a folder of the coordinator.

    Args:
        folder: Where further `*.json` campaigns lie; None for none.

    Raises:
        UsageError: A file does not hold a campaign, two have the same id, or the folder cannot be read.
    """
    found: dict[str, Campaign] = {}
    shipped = importlib.resources.files("hometone_client.takes") / "data" / "campaigns"
    for entry in sorted(shipped.iterdir(), key=lambda each: each.name):
        if entry.name.endswith(".json"):
            campaign = parse_campaign(entry.read_bytes())
            found[campaign.id] = campaign
    if folder is None:
        return found
    if not folder.is_dir():
        raise UsageError("there is no such folder of campaigns", hint="name a folder that holds .json files")
    for path in sorted(folder.glob("*.json")):
        try:
            with path.open("rb") as file:
                campaign = parse_campaign(file.read(_MAX_FILE_BYTES + 1))
        except OSError as error:
            raise UsageError(f"the campaign {path.name} cannot be read", hint="check its permissions") from error
        except UsageError as error:
            raise UsageError(f"{path.name}: {error.message}", hint=error.hint) from error
        if campaign.id in found:
            raise UsageError(f"{path.name}: there is a campaign with the id {campaign.id} already", hint="give it another id")
        found[campaign.id] = campaign
    return found


def campaign(name: str, folder: Path | None = None) -> Campaign:
    """One campaign by its id, or the first of a language by its code.

    Raises:
        UsageError: There is none of that name; or as `campaigns`.
    """
    known = campaigns(folder)
    if name in known:
        return known[name]
    for each in known.values():
        if each.language == name:
            return each
    raise UsageError("there is no such campaign", hint="choose one of " + ", ".join(known))
