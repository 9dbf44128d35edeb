"""The objectives in words, for the help. Light to import: the objectives themselves (``table.py``) need numpy."""

HELP = {
    "causal": "next token",
    "backward": "previous token",
    "both": "next and previous token",
    "autoencoder": "the text again, SA-LSTM",
    "masked": "masked tokens, BERT",
    "mixture": "UniLM",
    "pseudo-masked": "UniLMv2",
}
