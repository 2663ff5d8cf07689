"""The trained weights in the repository: packing, drawing, and the pictures of the page."""
