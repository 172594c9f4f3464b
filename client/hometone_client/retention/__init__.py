"""What goes by itself when its time is over: takes, ended consents, lapsed copies, old post (docs/withdrawal.md, section 9)."""
