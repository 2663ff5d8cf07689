"""Samples on disk: what identifies one, where it lies, who is making it, and with what it was made."""
