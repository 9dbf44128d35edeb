"""Floor 8: the whole story on the English that every Python installation carries."""
