"""From a minute of speech to a voice, on the device: see `recipe` for the order of things and docs/adaptation.md for why."""

from hometone_client.adaptation.enrolment import EnrolmentTake
from hometone_client.adaptation.recipe import AdaptedVoice, adapt
from hometone_client.adaptation.settings import AdaptationSettings

__all__ = ["AdaptationSettings", "AdaptedVoice", "EnrolmentTake", "adapt"]
