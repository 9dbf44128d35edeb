"""Recipes that differ from one in one field."""

from collections.abc import Sequence

from warmstart.config.load import changed, split_values
from warmstart.config.schema import FinetuneRecipe


def variants(recipe: FinetuneRecipe, texts: Sequence[str]) -> dict[str, FinetuneRecipe]:
    """The recipe with each value of each ``a.b=x,y`` in the place of its own, by what differs.

    Raises:
        BadInput: an unknown field, or a value that it does not accept.
    """
    found = {}
    for text in texts:
        path, values = split_values(text, "--vary")
        for value in values:
            found[f"{path}={value}"] = changed(recipe, path, value, "--vary")
    return found
