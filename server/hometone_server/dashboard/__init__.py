"""The coordinator's pages (docs/pages.md, section 6): the same as its commands, for people who prefer a browser."""
