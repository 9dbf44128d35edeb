"""Names of the known data sets, for those who cannot wait for the catalogue to be imported, such as the help.

What each of them is stands in :mod:`warmstart.tasks.catalogue`; a test holds the two together.
"""

TRAINING_DATASETS = (
    "cola", "sst2", "rt_polarity", "imdb", "20news", "dbpedia",
    "snli", "snli_cad", "snli+cad", "mnli", "scitail", "qnli", "rte", "wnli", "mrpc", "qqp", "stsb",
    "boolq", "cb", "multirc", "wsc", "wic", "anli", "anli_r1", "anli_r2", "anli_r3", "fever", "qnli_ranking", "record",
    "dream", "race", "race_m", "race_h", "race_m+dream", "storycloze", "copa", "csqa", "openbookqa", "arc_easy",
    "arc_challenge", "wnut17_ner", "wikigold_ner", "ud_english_ewt", "ud_vietnamese_vtb", "tydiqa_en", "cifar10",
    "conll2003_ner", "conll2003_pos", "conll2003_chunk",
)  # fmt: skip
EVALUATION_DATASETS = ("mnli_1k", "xnli", "xquad_en", "mlqa_en")
"""Those without training examples."""
DATASET_NAMES = (*TRAINING_DATASETS, *EVALUATION_DATASETS)
