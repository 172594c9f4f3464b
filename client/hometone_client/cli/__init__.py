"""The `hometone` command: the only place that prints, and the only place with exit codes."""
