"""Floor 4: the typed tree that names everything a run needs: its fields, its files, its flags."""
