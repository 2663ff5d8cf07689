"""Files that make a second build quick: stored values and fingerprints of inputs."""
