"""The tasks: what reads each one's file, and what is asked. Their names and words are in :mod:`warmstart.zeroshot.table`."""

from warmstart.zeroshot import cbt, prompts, texts, winograd
from warmstart.zeroshot.acceptability import AcceptabilityTask
from warmstart.zeroshot.choices import ChoiceTask
from warmstart.zeroshot.detokenize import penn_treebank, wikitext
from warmstart.zeroshot.lambada import LastWordTask
from warmstart.zeroshot.texts import TextTask

LAMBADA, LAMBADA_GPT2 = LastWordTask(), LastWordTask(gpt2=True)
WIKITEXT = TextTask(texts.pages, wikitext)
PTB = TextTask(texts.whole, penn_treebank)
ONE_BILLION_WORDS = TextTask(texts.lines)
BYTES = TextTask(texts.whole)
TEXT = TextTask(texts.documents)
WINOGRAD = ChoiceTask(winograd.partial_question, winograd.read_schemas)
DPRD = ChoiceTask(winograd.partial_question, winograd.read_schemas, "accuracy_token")
WINOGRAD_FULL = ChoiceTask(winograd.full_question, winograd.read_schemas)
HELLASWAG, PIQA, ARC = ChoiceTask(prompts.hellaswag), ChoiceTask(prompts.piqa), ChoiceTask(prompts.arc)
OPENBOOKQA, SCIQ, BOOLQ = ChoiceTask(prompts.openbookqa), ChoiceTask(prompts.sciq), ChoiceTask(prompts.boolq)
WINOGRANDE, COPA = ChoiceTask(prompts.winogrande), ChoiceTask(prompts.copa)
STORYCLOZE, RACE = ChoiceTask(prompts.storycloze), ChoiceTask(prompts.race, main="accuracy_token")
DREAM = ChoiceTask(prompts.dream, prompts.read_dialogues, "accuracy_token")
BLIMP, SST2 = ChoiceTask(prompts.minimal_pair), ChoiceTask(prompts.sst2)
CBT, COLA = ChoiceTask(cbt.cbt, cbt.read_questions), AcceptabilityTask()
