"""Names of the metrics of generated texts, for those who cannot wait for the metrics to be imported, such as the help."""

ROUGE = ("rouge1", "rouge2", "rougeL", "rougeLsum")
SACREBLEU = ("bleu", "chrf", "ter")
LOSS = "loss"
"""What a model may be chosen by that no plain method has."""
GENERATION_METRICS = (*ROUGE, "bleu4", *SACREBLEU, "meteor")
