"""Small models trained from scratch on rendered scenes, with which the paper's claim can be tested causally.

Rendered scenes with captions; a text-to-image model, an image-text encoder, preference rewards, aligned variants and a
judge, all in the formats of stock diffusers and transformers. Training needs a GPU and minutes; drawing needs a laptop.
Nothing is imported here: `build.py` loads torch only when a command needs it.
"""
