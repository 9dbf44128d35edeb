"""Floor 5: the typed tree that names everything a run needs; loading, building, and the dry run in words."""
