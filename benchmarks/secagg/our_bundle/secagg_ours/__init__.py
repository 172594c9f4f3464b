"""One round of Hometone's protocol."""
