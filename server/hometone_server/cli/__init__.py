"""The `hometone-coordinator` command: the only room of the server that prints and reads options."""
