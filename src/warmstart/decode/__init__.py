"""Floor 3: from a prompt to new text: one-token advance, sampling, generate."""
