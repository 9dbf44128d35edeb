"""Floor 1: the nouns every model meets: Record, Example, Goal, sight and Batch."""
