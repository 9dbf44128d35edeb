"""Floor 6: one plain function per verb, and the scikit-learn-like Classifier."""

from warmstart.base.allocator import use_large_pages

use_large_pages()  # before any of the verbs makes a tensor
