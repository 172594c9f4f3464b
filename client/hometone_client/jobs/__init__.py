"""Work on voices: making one, and a queue of them that runs unattended."""
