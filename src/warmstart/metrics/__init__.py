"""Floor 1: metrics of success through scikit-learn and SciPy, with bootstrap intervals."""
