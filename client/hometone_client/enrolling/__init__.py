"""From a person who agrees to recordings that a voice can be made from: her place, the microphone, the gate, imported files."""
