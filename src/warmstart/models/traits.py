"""What the settings of all kinds of backbones say beside their sizes. Light to import."""

from typing import ClassVar

from warmstart.base.settings import Settings


class BackboneTraits(Settings):
    """What a kind can do; each has its defaults unless it says otherwise.

    Attributes:
        can_carry: whether what was read of a text can be carried from one step of a training to the next.
        two_stacks: whether an encoder reads a source and a decoder writes the target.
        reads_sides_alone: whether such an encoder and decoder read a text alone, as language models do.
        masks_sources: whether its encoder then guesses masked tokens, not the next ones.
        has_token_table: whether a token is read as a row of a table.
        SIDE_LAYERS: layers of either stack that its language model starts; ``None``: all that both have.
        FEWEST_LAYERS: layers that it has at least.
    """

    can_carry: ClassVar[bool] = False
    two_stacks: ClassVar[bool] = False
    reads_sides_alone: ClassVar[bool] = False
    masks_sources: ClassVar[bool] = False
    SIDE_LAYERS: ClassVar[int | None] = None
    FEWEST_LAYERS: ClassVar[int] = 1

    @property
    def has_token_table(self) -> bool:
        """Every kind that reads no characters."""
        return True
