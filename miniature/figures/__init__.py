"""From raw rows to the numbers of the page: every figure is a measure of rows."""
