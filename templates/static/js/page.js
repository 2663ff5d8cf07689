// Progressive enhancement of both variants.
