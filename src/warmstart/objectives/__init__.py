"""Floor 2: pre-training objectives: frames from ids to Examples with goals, and what each needs of text and model."""
