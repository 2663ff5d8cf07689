"""The shapes of the models, the flow that they sample, and low-rank differences of their layers."""
