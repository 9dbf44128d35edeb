"""Floor 2: which Examples make step i: order, plans from lengths alone, and the Stream."""
