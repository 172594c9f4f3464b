"""A person's word that it is over: written down here first, carried out here, taken to everybody else who holds something."""
