"""Floor 7: the whole story on the English that every Python installation carries."""
