"""Takes: what a person reads or says, from the prompt to stretches of sound with known words, each one measured on the way in."""

from hometone_client.takes.assessment import AssessedTake, Passage, intake
from hometone_client.takes.campaigns import Campaign, campaign, campaigns
from hometone_client.takes.quality import QualityFinding, QualityReport, Severity, Verdict, enough_speech
from hometone_client.takes.segmentation import Segment
from hometone_client.takes.transcription import Transcriber, Transcript

__all__ = [
    "AssessedTake",
    "Campaign",
    "Passage",
    "QualityFinding",
    "QualityReport",
    "Segment",
    "Severity",
    "Transcriber",
    "Transcript",
    "Verdict",
    "campaign",
    "campaigns",
    "enough_speech",
    "intake",
]
