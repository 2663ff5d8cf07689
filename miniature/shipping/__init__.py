"""The trained weights in the repository: packing, drawing, the pictures of the page, and browsers."""
