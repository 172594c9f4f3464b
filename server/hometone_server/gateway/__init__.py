"""What laptops may ask of a coordinator besides rounds: the log, the releases, and to join."""
