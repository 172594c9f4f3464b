"""Heritage of a dialect (requirement 30): a voice, its dialect, its consent and a sample in one sealed archive (docs/heritage.md)."""
