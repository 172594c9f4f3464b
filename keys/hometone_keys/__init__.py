"""The vault: identities, speaker secrets, key slots, sealed files, erasure by key destruction."""
