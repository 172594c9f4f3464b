"""Editing: pitch, intonation, pauses, emphasis and speed of sentences, words and phonemes, by SSML or by controls; timbre stays."""
