"""What a run does, the same for every engine: the plan of pictures, scores and verdicts, and each of these steps."""
