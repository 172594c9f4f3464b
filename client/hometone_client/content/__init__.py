"""The decoder's content: what a sound says of it (`posterior`), and how far it may lie around a text (`variation`)."""
