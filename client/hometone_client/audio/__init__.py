"""Sound in and out: files and microphones to `RawTake`, and speech to labelled bytes.

Only the names that cross rooms are given here; `recorder` (microphones) and `encoding` (speech out) are imported by those who use them.
"""

from hometone_client.audio.decoding import decode
from hometone_client.audio.raw_take import Origin, RawTake, from_flac_bytes, to_flac_bytes
from hometone_client.audio.resampling import resample

__all__ = ["Origin", "RawTake", "decode", "from_flac_bytes", "resample", "to_flac_bytes"]
