"""From what was measured to the numbers of the page."""
