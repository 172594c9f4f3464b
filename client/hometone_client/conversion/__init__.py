"""Somebody's recording, spoken again in another voice (requirement 13): files (`converting`) and live (`live`)."""
