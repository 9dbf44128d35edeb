"""Floor 2: which Examples make step i: the sources, their order, and the Stream."""
