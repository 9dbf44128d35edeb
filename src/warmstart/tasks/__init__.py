"""Floor 2: labelled files to Records, and Records to Examples (Figure 1 of the GPT-1 paper)."""
