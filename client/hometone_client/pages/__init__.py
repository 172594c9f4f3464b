"""The laptop's pages (docs/pages.md): recording, one's own voice, announcements, presenter, listening tests, and stopping."""
