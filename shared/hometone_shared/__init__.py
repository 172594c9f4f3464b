"""What both sides of Hometone must agree on: the error tree and canonical records."""
