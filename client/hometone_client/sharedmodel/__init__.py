"""What a federation improves together: the prosody of the base, in a nested public basis. Timbre stays with its owner (decision 0009)."""
