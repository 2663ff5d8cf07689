"""The rendered world: scenes, their captions and pictures, and how they are divided into sets."""
