"""The names of the zero-shot tasks, each a line; light to import: what stands behind a name is fetched when asked for."""

from typing import Any

from warmstart.base.lazy_table import LazyTable, TableEntry

TASKS: LazyTable[Any] = LazyTable(
    {
        "lambada": TableEntry("warmstart.zeroshot.tasks:LAMBADA", "last word of a passage"),
        "lambada_gpt2": TableEntry("warmstart.zeroshot.tasks:LAMBADA_GPT2", "the same, prepared as OpenAI did"),
        "wikitext2": TableEntry("warmstart.zeroshot.tasks:WIKITEXT", "perplexity, de-tokenised"),
        "wikitext103": TableEntry("warmstart.zeroshot.tasks:WIKITEXT", "perplexity, de-tokenised"),
        "ptb": TableEntry("warmstart.zeroshot.tasks:PTB", "perplexity, de-tokenised"),
        "1bw": TableEntry("warmstart.zeroshot.tasks:ONE_BILLION_WORDS", "perplexity of single sentences"),
        "enwik8": TableEntry("warmstart.zeroshot.tasks:BYTES", "bits per byte"),
        "text8": TableEntry("warmstart.zeroshot.tasks:BYTES", "bits per character"),
        "text": TableEntry("warmstart.zeroshot.tasks:TEXT", "perplexity of any text, per token, word and byte"),
        "wsc273": TableEntry("warmstart.zeroshot.tasks:WINOGRAD", "Winograd schemas, partial scoring"),
        "wsc273_full": TableEntry("warmstart.zeroshot.tasks:WINOGRAD_FULL", "the same, full scoring"),
        "pdp60": TableEntry("warmstart.zeroshot.tasks:WINOGRAD", "pronouns, partial scoring"),
        "pdp60_full": TableEntry("warmstart.zeroshot.tasks:WINOGRAD_FULL", "the same, full scoring"),
        "dprd": TableEntry("warmstart.zeroshot.tasks:DPRD", "Rahman and Ng's pronouns, partial scoring"),
        "dprd_full": TableEntry("warmstart.zeroshot.tasks:WINOGRAD_FULL", "the same, full scoring"),
        "cbt": TableEntry("warmstart.zeroshot.tasks:CBT", "the missing word of a children's book"),
        "cola": TableEntry("warmstart.zeroshot.tasks:COLA", "acceptable sentences, by GPT-1's heuristic"),
        "sst2": TableEntry("warmstart.zeroshot.tasks:SST2", "film reviews, by GPT-1's heuristic"),
        "nq_open": TableEntry("warmstart.zeroshot.generated:NATURAL_QUESTIONS", "questions without a passage"),
        "coqa": TableEntry("warmstart.zeroshot.generated:COQA", "questions of a dialogue about a story"),
        "translation": TableEntry("warmstart.zeroshot.generated:TRANSLATION", "by example pairs: --shots"),
        "tldr": TableEntry("warmstart.zeroshot.generated:SUMMARIES", "summaries behind TL;DR:"),
        "tldr_no_hint": TableEntry("warmstart.zeroshot.generated:SUMMARIES_WITHOUT_HINT", "the same without the hint"),
        "copa": TableEntry("warmstart.zeroshot.tasks:COPA", "cause or effect"),
        "storycloze": TableEntry("warmstart.zeroshot.tasks:STORYCLOZE", "the ending of a story"),
        "race": TableEntry("warmstart.zeroshot.tasks:RACE", "questions about a passage"),
        "dream": TableEntry("warmstart.zeroshot.tasks:DREAM", "questions about a dialogue"),
        "hellaswag": TableEntry("warmstart.zeroshot.tasks:HELLASWAG", "the ending of a scene"),
        "piqa": TableEntry("warmstart.zeroshot.tasks:PIQA", "how things are done"),
        "arc": TableEntry("warmstart.zeroshot.tasks:ARC", "science questions"),
        "openbookqa": TableEntry("warmstart.zeroshot.tasks:OPENBOOKQA", "science questions"),
        "sciq": TableEntry("warmstart.zeroshot.tasks:SCIQ", "science questions with a passage"),
        "boolq": TableEntry("warmstart.zeroshot.tasks:BOOLQ", "yes or no of a passage"),
        "winogrande": TableEntry("warmstart.zeroshot.tasks:WINOGRANDE", "pronouns, partial scoring"),
        "blimp": TableEntry("warmstart.zeroshot.tasks:BLIMP", "grammatical of two sentences"),
    }
)
"""Name → :class:`~warmstart.zeroshot.task.ZeroshotTask`."""
