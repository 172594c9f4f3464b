"""Withdrawal: who is withdrawn, what the log says about it, and the receipt that anybody can check (docs/withdrawal.md)."""
