"""Floor 5: from a recipe to the things it names; the dry run in words."""
