"""What the laptop's pages and the coordinator's have in common (docs/pages.md): who may look, words, templates, style. No web framework."""
