"""The coordinator's records: its log, the devices, the releases, and the invitations that are still open."""
