"""A speaker's things inside the vault: consent, what she declared, takes, voice, checkpoints, and the journal of work."""
