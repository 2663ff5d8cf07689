"""The built site: published as a whole, and checked."""
