"""Floor 1: measures of success through scikit-learn and SciPy, with bootstrap intervals."""
