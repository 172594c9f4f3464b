"""espeak-ng as a function: words in, International Phonetic Alphabet out.

The library and its data come with the `espeakng-loader` wheel, so nothing is installed, downloaded or copied. espeak-ng keeps one voice in
global variables: one instance a process, one call at a time (`_LOCK`).
"""

import ctypes
import re
import threading
from functools import cache

from hometone_shared.errors import TextError

_AUDIO_OUTPUT_SYNCHRONOUS = 0x02
_DONT_EXIT = 0x8000
_CHARS_UTF8 = 1
# speak_lib.h, espeak_TextToPhonemes: bit 1 IPA, bit 7 use the character in bits 8-23 as a tie inside one phoneme.
_IPA_WITH_TIE = 0x02 | 1 << 7 | ord("^") << 8
_LOCK = threading.Lock()
_LANGUAGE_SWITCH = re.compile(r"\([^)]*\)")


class _Voice(ctypes.Structure):
    """`espeak_VOICE` of speak_lib.h."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_char_p),
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("xx1", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    )


@cache
def _library() -> ctypes.CDLL:
    import espeakng_loader

    try:
        library = ctypes.CDLL(espeakng_loader.get_library_path())
        data = espeakng_loader.get_data_path().encode()
        rate = library.espeak_Initialize(_AUDIO_OUTPUT_SYNCHRONOUS, 0, data, _DONT_EXIT)
    except (OSError, RuntimeError) as error:
        raise TextError("the pronunciation library espeak-ng does not load", hint="install the espeakng-loader package again") from error
    if rate <= 0:
        raise TextError("the pronunciation library espeak-ng does not start", hint="install the espeakng-loader package again")
    library.espeak_TextToPhonemes.restype = ctypes.c_char_p
    library.espeak_TextToPhonemes.argtypes = [ctypes.POINTER(ctypes.c_char_p), ctypes.c_int, ctypes.c_int]
    library.espeak_SetVoiceByProperties.argtypes = [ctypes.POINTER(_Voice)]
    return library


def phonemes(text: str, *, voice: str) -> str:
    """IPA of a text without punctuation, with stress marks and "^" as tie inside one phoneme.

    Args:
        text: Words.
        voice: Language tag of espeak-ng, for example "en-us", "fr-fr", "pt-br".

    Raises:
        TextError: The library does not load or does not know the voice.
    """
    with _LOCK:
        library = _library()
        if library.espeak_SetVoiceByProperties(ctypes.byref(_Voice(languages=voice.encode()))) != 0:
            raise TextError(f"espeak-ng does not know the language {voice}", hint="choose one of the supported languages")
        pointer = ctypes.pointer(ctypes.c_char_p(text.encode("utf-8", "ignore")))
        parts = []
        while pointer.contents.value is not None:
            part = library.espeak_TextToPhonemes(pointer, _CHARS_UTF8, _IPA_WITH_TIE)
            if part:
                parts.append(part.decode("utf-8"))
    return _LANGUAGE_SWITCH.sub("", " ".join(parts)).strip()
