"""Translation: a text of one language, written in another."""

from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from typing import Any, Literal

from pydantic import Field

from tunekit import metrics
from tunekit.errors import EnvironmentFailure
from tunekit.tasks import _languages as languages
from tunekit.tasks._guess import Guess, Seen
from tunekit.tasks._pairs import translations
from tunekit.tasks._writer import SHORTEST, Writer
from tunekit.tasks.base import Example, Role

NEEDS = {"ja-mecab": "ja", "ko-mecab": "ko"}  # tokenizers of BLEU -> the extra of sacrebleu that has them


class Translation(Writer):
    """Translate each text.

        source  "Ada went to Paris."
        target  "Ada fuhr nach Paris."

    Tokenizers that know languages by codes (mBART, NLLB, M2M100) are told both, and the model begins with the
    code of what it writes; of multilingual Marian models the text itself says it. Others are told by `prefix`
    alone (T5), or learn the one direction that their data have.
    """

    inputs = {"source": Role("text", "source", ("src", "source_text"))}
    targets = {
        "target": Role("text", "target", ("tgt", "target_text", "reference")),
        "references": Role("texts", "references", ("targets",), instead_of="target"),
    }
    answer = "translation"
    pipeline_tag = "translation"
    sample = {"source": "The committee agreed on a budget."}

    class Options(Writer.Options):
        """Settings of translation; training, evaluation and prediction write in the same way."""

        lengths = ("max_source", "max_target")

        source_language: str | None = Field(
            None, description="code of the source, such as en, en_XX or eng_Latn; also finds its column"
        )
        target_language: str | None = Field(
            None, description="code of the target; also finds its column and parts its words for BLEU"
        )
        prefix: str = Field(
            "", description="text before every source, such as T5's 'translate English to German: '"
        )
        separator: str = Field(
            "\n\nTranslation:", description="text between source and target, for models that continue text"
        )
        max_source: int = Field(128, ge=SHORTEST, description="tokens that the model reads, prefix included")
        max_target: int = Field(128, ge=2, description="tokens of a translation, learned or written")
        bleu_tokenizer: Literal["auto", "13a", "intl", "char", "zh", "ja-mecab", "ko-mecab", "none"] = Field(
            "auto", description="how sacrebleu parts words; auto takes what it uses for the target language"
        )
        chrf_pp: bool = Field(False, description="score by chrF++, which looks at words too, instead of chrF")

        @property
        def parted_by(self) -> str:
            """The tokenizer of sacrebleu."""
            chosen = self.bleu_tokenizer
            return languages.bleu_tokenizer(self.target_language) if chosen == "auto" else chosen

    options: Options

    @classmethod
    def inputs_for(cls, options: Options) -> dict[str, Role]:
        return {"source": called(cls.inputs["source"], options.source_language)}

    @classmethod
    def targets_for(cls, options: Options) -> dict[str, Role]:
        return {**cls.targets, "target": called(cls.targets["target"], options.target_language)}

    @classmethod
    def likelihood(cls, seen: Seen) -> Guess | None:
        """Two columns of texts, each called by a language."""
        return translations(seen, {**cls.inputs, **cls.targets})

    @classmethod
    def judged_by(cls, options: Options) -> metrics.Measure:
        return metrics.translation_measure(options.parted_by, words=2 if options.chrf_pp else 0)

    def prepare_processor(self) -> None:
        """Tell the tokenizer the languages, and see that words can be told apart for BLEU."""
        languages.set_languages(self.processor, self.options.source_language, self.options.target_language)
        tokenizer = self.options.parted_by
        if tokenizer in NEEDS and find_spec("MeCab") is None:
            raise EnvironmentFailure(
                f"BLEU by {tokenizer} needs a package: pip install 'sacrebleu[{NEEDS[tokenizer]}]', or set "
                "task.bleu_tokenizer=char"
            )

    def prompt(self, example: Example) -> str:
        code = self.options.target_language
        wanted = f">>{code}<< " if code and languages.is_marked(self.processor) else ""
        return f"{wanted}{self.options.prefix}{example['source']}"

    def reference(self, example: Example) -> list[str]:
        return list(example["references"]) if "references" in example else [example["target"]]

    def baselines(self, rows: Sequence[Example]) -> dict[str, list[Any]]:
        return {"copy": [row["source"] for row in rows]}


def called(role: Role, language: str | None) -> Role:
    """A role whose column may also be called by a language."""
    return replace(role, synonyms=(*role.synonyms, *languages.columns_of(language)))
