"""Voices that are lent to another machine: card, package, guest, and the lease that ends them (docs/withdrawal.md, section 5)."""
