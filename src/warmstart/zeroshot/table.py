"""The names of the zero-shot tasks, each a line; light to import: what stands behind a name is fetched when asked for."""

from typing import Any

from warmstart.base.lazy_table import LazyTable, TableEntry

_HERE = "warmstart.zeroshot.tasks"
TASKS: LazyTable[Any] = LazyTable(
    {
        "lambada": TableEntry(f"{_HERE}:LAMBADA", "last word of a passage"),
        "lambada_gpt2": TableEntry(f"{_HERE}:LAMBADA_GPT2", "the same, prepared as OpenAI did"),
        "wikitext2": TableEntry(f"{_HERE}:WIKITEXT", "perplexity, de-tokenised"),
        "wikitext103": TableEntry(f"{_HERE}:WIKITEXT", "perplexity, de-tokenised"),
        "ptb": TableEntry(f"{_HERE}:PTB", "perplexity, de-tokenised"),
        "1bw": TableEntry(f"{_HERE}:ONE_BILLION_WORDS", "perplexity of single sentences"),
        "enwik8": TableEntry(f"{_HERE}:BYTES", "bits per byte"),
        "text8": TableEntry(f"{_HERE}:BYTES", "bits per character"),
        "text": TableEntry(f"{_HERE}:TEXT", "perplexity of any text, per token, word and byte"),
        "wsc273": TableEntry(f"{_HERE}:WINOGRAD", "Winograd schemas, partial scoring"),
        "wsc273_full": TableEntry(f"{_HERE}:WINOGRAD_FULL", "the same, full scoring"),
        "pdp60": TableEntry(f"{_HERE}:WINOGRAD", "pronouns, partial scoring"),
        "pdp60_full": TableEntry(f"{_HERE}:WINOGRAD_FULL", "the same, full scoring"),
        "dprd": TableEntry(f"{_HERE}:WINOGRAD", "Rahman and Ng's pronouns, partial scoring"),
        "dprd_full": TableEntry(f"{_HERE}:WINOGRAD_FULL", "the same, full scoring"),
        "copa": TableEntry(f"{_HERE}:COPA", "cause or effect"),
        "storycloze": TableEntry(f"{_HERE}:STORYCLOZE", "the ending of a story"),
        "race": TableEntry(f"{_HERE}:RACE", "questions about a passage"),
        "hellaswag": TableEntry(f"{_HERE}:HELLASWAG", "the ending of a scene"),
        "piqa": TableEntry(f"{_HERE}:PIQA", "how things are done"),
        "arc": TableEntry(f"{_HERE}:ARC", "science questions"),
        "openbookqa": TableEntry(f"{_HERE}:OPENBOOKQA", "science questions"),
        "sciq": TableEntry(f"{_HERE}:SCIQ", "science questions with a passage"),
        "boolq": TableEntry(f"{_HERE}:BOOLQ", "yes or no of a passage"),
        "winogrande": TableEntry(f"{_HERE}:WINOGRANDE", "pronouns, partial scoring"),
        "blimp": TableEntry(f"{_HERE}:BLIMP", "grammatical of two sentences"),
    }
)
"""Name → :class:`~warmstart.zeroshot.task.ZeroshotTask`."""
