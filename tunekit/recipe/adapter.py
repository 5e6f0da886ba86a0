"""The section of a recipe that asks for an adapter: few weights that are trained beside frozen ones."""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from tunekit.recipe.base import Count, Section, Share

Kind = Literal["lora", "dora", "rslora", "ia3", "prompt", "prefix"]

LOW_RANK = ("lora", "dora", "rslora")
VIRTUAL = ("prompt", "prefix")  # kinds that put tokens of their own before what the model reads
SCALE = 2.0  # what a low-rank update is multiplied with, where the recipe gives no alpha


def four_or_eight(value: Any) -> int:
    """Accept 4 or 8, as YAML or a command line writes them."""
    if str(value) not in ("4", "8"):
        raise ValueError("give 4 or 8")
    return int(value)


class AdapterSection(Section):
    """Train an adapter and the head, and leave the weights of the checkpoint as they are."""

    RATES: ClassVar[dict[str, float]] = {  # highest learning rates, where the recipe gives none
        "lora": 5e-4,
        "dora": 5e-4,
        "rslora": 5e-4,
        "ia3": 5e-3,
        "prompt": 3e-2,
        "prefix": 1e-2,
    }
    TAKES: ClassVar[dict[str, tuple[str, ...]]] = {  # the keys of each kind
        **dict.fromkeys(LOW_RANK, ("rank", "alpha", "dropout", "targets", "bits")),
        "ia3": ("targets", "bits"),
        **dict.fromkeys(VIRTUAL, ("tokens", "bits")),
    }

    kind: Kind = Field(description="lora, dora, rslora, ia3; for tasks that write also prompt and prefix")
    rank: Count | None = Field(None, description="of the update of each layer; 16 by default")
    alpha: float | None = Field(
        None, gt=0, description="weighs the update: alpha / rank, for rslora alpha / sqrt(rank); 2 by default"
    )
    dropout: Share | None = Field(None, description="of what the update sees; 0 by default")
    targets: list[str] | None = Field(
        None,
        min_length=1,
        description="layers, by the end of their names or a pattern; by default all of attention and MLP",
    )
    tokens: Count | None = Field(None, description="virtual tokens of prompt and prefix; 20 by default")
    bits: Annotated[Literal[4, 8], BeforeValidator(four_or_eight)] | None = Field(
        None, description="keep the frozen weights in so many bits; needs a GPU and the extra quantization"
    )

    @model_validator(mode="before")
    @classmethod
    def takes_these_keys(cls, values: Any) -> Any:
        kind = values.get("kind") if isinstance(values, dict) else None
        if kind not in cls.TAKES:
            return values
        takes = cls.TAKES[kind]
        for key, value in values.items():
            if key in cls.model_fields and key not in ("kind", *takes) and value is not None:
                raise ValueError(f"{kind} takes no {key}, only {', '.join(takes)}; remove {key}")
        return values

    @model_validator(mode="after")
    def has_all_numbers(self) -> Self:
        if self.kind in LOW_RANK:
            rank = self.rank or 16
            root = rank**0.5 if self.kind == "rslora" else rank
            self.fill(rank=rank, alpha=SCALE * root, dropout=0.0)
        elif self.kind in VIRTUAL:
            self.fill(tokens=20)
        return self

    def fill(self, **defaults: Any) -> None:
        """Set keys that were not given."""
        for key, value in defaults.items():
            if getattr(self, key) is None:
                object.__setattr__(self, key, value)

    @property
    def rate(self) -> float:
        """The highest learning rate, where the recipe gives none."""
        return self.RATES[self.kind]

    @property
    def merges(self) -> bool:
        """Whether the adapter can become a part of the weights."""
        return self.kind not in VIRTUAL

    @property
    def instead(self) -> str:
        """What to do where the adapter alone cannot be pushed, as its checkpoint is here alone."""
        if self.merges:
            return "push the merged model, without hub.adapter, or train from a model of the Hub"
        return "train from a model of the Hub, or a kind that becomes part of the weights, such as lora"

    @property
    def shares(self) -> bool:
        """Whether its model can be shared out over processes."""
        return self.merges and self.bits is None
