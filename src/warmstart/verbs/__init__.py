"""Floor 7: one plain function per verb, and the scikit-learn-like Classifier."""
