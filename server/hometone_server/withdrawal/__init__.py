"""The coordinator's part in a withdrawal: who is registered, tombstones, receipts, and what they are handed out as."""
