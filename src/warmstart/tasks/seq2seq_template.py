"""The special tokens of source and target of an encoder-decoder: its start's or its vocabulary's, and language codes.

A multilingual vocabulary puts the code of a source's language before or behind it. The target's is what the decoder reads
first (mBART of 2020), or what every target begins with (mBART-50).
"""

from dataclasses import dataclass

from warmstart.base.errors import BadInput
from warmstart.tasks.seq2seq_frames import PREFIX
from warmstart.tasks.settings import Seq2SeqSettings, Seq2SeqTemplate
from warmstart.tasks.special_tokens import special_ids
from warmstart.text.special_tokens import SPECIAL_TOKENS
from warmstart.text.tokenizer import Tokenizer


def fit_template(options: Seq2SeqSettings, sight: str, tokenizer: Tokenizer) -> Seq2SeqSettings:
    """The options with the special tokens of the vocabulary, where an encoder-decoder's are not known, and with its codes.

    Raises:
        BadInput: a language code for a model of one stack, or one that the vocabulary or its texts do not have.
    """
    languages = _Languages(tokenizer, options.source_language, options.target_language)
    if sight != PREFIX:
        languages.check_unasked()
        return options
    found = languages.apply(options.template or pair_template(tokenizer))
    return options.model_copy(update={"template": found})


def pair_template(tokenizer: Tokenizer) -> Seq2SeqTemplate:
    """The special tokens of source and target as a vocabulary suggests them: what ends a text also begins the target."""
    end = special_ids(PREFIX, tokenizer).extract
    before, after = tokenizer.around_ids or ((), (end,))
    return Seq2SeqTemplate(before=before, after=after, between=after, start=end, end=end)


@dataclass(frozen=True, slots=True)
class _Languages:
    """The codes that are asked for; empty where none is."""

    tokenizer: Tokenizer
    source: str
    target: str

    def check_unasked(self) -> None:
        """Raises :class:`BadInput` where a code is asked of a model that has none."""
        if asked := self.source or self.target:
            raise BadInput(
                "only an encoder-decoder has language codes",
                where=self._flag(asked),
                value=asked,
                next_step="leave it out",
            )

    def apply(self, template: Seq2SeqTemplate) -> Seq2SeqTemplate:
        """The template with these codes in the place of others."""
        if self.source:
            template = self._with_source(template, self._code(self.source))
        return self._with_target(template, self._code(self.target)) if self.target else template

    def _with_source(self, template: Seq2SeqTemplate, code: int) -> Seq2SeqTemplate:
        before, after = (
            tuple(code if self._is_code(token) else token for token in side)
            for side in (template.before, template.after)
        )
        if code not in (*before, *after):
            raise BadInput(
                "this tokenizer puts no language code around a source", where="--source-language", value=self.source,
                next_step="leave it out",
            )  # fmt: skip
        return template.model_copy(update={"before": before, "after": after})

    def _with_target(self, template: Seq2SeqTemplate, code: int) -> Seq2SeqTemplate:
        if self._is_code(template.start):
            return template.model_copy(update={"start": code})
        return template.model_copy(update={"first": (code,), "forced": (code,)})

    def _is_code(self, token: int) -> bool:
        """Whether a special token has no other role."""
        names = (self.tokenizer.special_token(role) for role in SPECIAL_TOKENS)
        return token not in {self.tokenizer.token_to_id(name) for name in names if name is not None}

    def _code(self, name: str) -> int:
        if not self.tokenizer.has_token(name):
            raise BadInput(
                "the vocabulary has no such language code", where=self._flag(name), value=name,
                allowed="a token of the vocabulary, such as mBART's en_XX", next_step="see the model's own page",
            )  # fmt: skip
        return self.tokenizer.token_to_id(name)

    def _flag(self, name: str) -> str:
        return "--source-language" if name == self.source else "--target-language"
