"""The larger language model that a pre-training learns from beside its text."""

from dataclasses import replace

from warmstart.base.errors import BadInput
from warmstart.build.fit import check_direction
from warmstart.build.start import NO_START, Start, read_start
from warmstart.config.schema import PretrainRecipe
from warmstart.example.example import LM
from warmstart.models.distillation import Distillation
from warmstart.models.settings import BackboneSettings
from warmstart.objectives.objective import Objective
from warmstart.run.metadata import read_vocabulary
from warmstart.tasks.vocabulary import Vocabulary, begins_with
from warmstart.train.step import Criterion
from warmstart.transfer.hub import model_folder

TEACHER = "teacher"
"""The term of the loss."""


def check_teacher(recipe: PretrainRecipe, objective: Objective, backbone: BackboneSettings) -> None:
    """Refuses a teacher that cannot teach this student; reads no weights and no text.

    Args:
        recipe: of the student.
        objective: of the student.
        backbone: of the student.

    Raises:
        BadInput: it is no language model, sees otherwise, has no room for a row of the student's, or has other tokens than
            the tokenizer that the recipe names; or the student's rows, or its softmax, are not whole.
    """
    if recipe.teacher == NO_START:
        return
    teacher = read_start(recipe.teacher)
    size = teacher.backbone
    if backbone.vectors or size.vectors or not size.softmax or teacher.metadata.named_tasks:
        raise BadInput(
            "a teacher predicts tokens, and so does its student", where="--teacher", value=recipe.teacher,
            allowed="a language model over text, not a run of a task", next_step="choose another, or leave it out",
        )  # fmt: skip
    if (size.sight, size.two_stacks) != (backbone.sight, backbone.two_stacks):
        raise BadInput(
            "the teacher sees other tokens than the student when it predicts one", where="--teacher", value=size.NOUN,
            allowed=backbone.NOUN, next_step="choose another --objective, --model or teacher",
        )  # fmt: skip
    check_direction(objective, teacher.metadata.direction)
    if size.max_length < backbone.context:
        raise BadInput(
            "the teacher cannot read a row of the student's text", where="--teacher", value=f"{size.max_length} tokens",
            allowed=f"at least {backbone.context}", next_step=f"add --context {size.max_length}",
        )  # fmt: skip
    if recipe.corpus.tokenizer is not None:
        _check_tokens(recipe, read_vocabulary(model_folder(recipe.corpus.tokenizer, weights=False))[0], teacher)
    _check_reads_all(recipe)


def load_teacher(recipe: PretrainRecipe) -> Start | None:
    """The teacher that a recipe names, if any, with its weights: it is refused before any text is read.

    Raises:
        BadInput: damaged weights, or a teacher that has never learned to guess tokens.
    """
    if recipe.teacher == NO_START:
        return None
    teacher = read_start(recipe.teacher)
    if note := teacher.load().note:
        raise BadInput(
            f"the teacher guesses no tokens: {note}", where="--teacher", value=recipe.teacher,
            allowed="a language model", next_step="choose another teacher",
        )  # fmt: skip
    return teacher


def _check_tokens(recipe: PretrainRecipe, tokenizer: Vocabulary, teacher: Start) -> None:
    if not begins_with(teacher.tokenizer, tokenizer):
        raise BadInput(
            "the teacher does not know the student's tokens", where="--teacher", value=recipe.teacher,
            allowed="a model of the same vocabulary", next_step=f"prepare the text with --tokenizer {recipe.teacher}",
        )  # fmt: skip


def _check_reads_all(recipe: PretrainRecipe) -> None:
    """Refuses a student whose rows, or whose softmax, are not whole."""
    asked = {"--carry": recipe.carry, "--softmax": recipe.train.num_sampled > 0}
    for flag, is_asked in asked.items():
        if is_asked:
            raise BadInput(
                "a teacher reads each row by itself, and says something of every token", where=flag, value="--teacher",
                allowed="without --teacher", next_step="leave one of the two out",
            )  # fmt: skip


def with_teacher(
    criterion: Criterion, teacher: Start | None, recipe: PretrainRecipe, tokenizer: Vocabulary
) -> Criterion:
    """What is minimised, with what the teacher says to a student with this vocabulary.

    Raises:
        BadInput: the teacher has other tokens.
    """
    if teacher is None:
        return criterion
    _check_tokens(recipe, tokenizer, teacher)
    term = Distillation(teacher.load().model.eval(), LM, recipe.soft_temperature)
    coefficients = {**criterion.coefficients, TEACHER: recipe.soft_weight}
    return replace(criterion, coefficients=coefficients, terms={**criterion.terms, TEACHER: term})
