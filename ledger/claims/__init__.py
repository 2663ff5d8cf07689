"""Claims of the page and how they are judged: no verdict is ever typed.

`read` takes content/claims.toml, `rules` sort values into evidence, `judge` makes verdicts of it, `wording` explains
them.
"""
