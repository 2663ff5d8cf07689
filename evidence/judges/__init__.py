"""Judges that compare two pictures. Each is a card of scorers.toml with the role `pairwise-judge`, and an adapter."""
