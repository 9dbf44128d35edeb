"""Floor 1: metrics through scikit-learn, SciPy and other libraries, their intervals, comparison of runs."""
