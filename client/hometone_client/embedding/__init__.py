"""What Hometone measures a voice by, on this device only: speaker embedding (GE2E) and content features (Whisper's encoder)."""
