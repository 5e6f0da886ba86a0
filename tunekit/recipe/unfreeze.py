"""`train.unfreeze`: which weights are trained where not all are."""

from collections.abc import Callable, Iterator
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from tunekit.recipe.reading import Place


def layers_head_or_names(value: Any) -> Any:
    """Accept a number of layers, head, or a list of names."""
    names = isinstance(value, list) and value and all(isinstance(each, str) and each for each in value)
    if value == "head" or names:
        return value
    if isinstance(value, bool) or not str(value).isdecimal() or int(value) < 1:
        raise ValueError("give a number of last layers, head, or a list of names of modules")
    return int(value)


Unfreeze = Annotated[int | Literal["head"] | list[str], BeforeValidator(layers_head_or_names)]


def wrong_training(where: Callable[[Place], str], adapter: Any, unfreeze: Any, pushed: bool) -> Iterator[str]:
    """An adapter beside layers that are trained as a whole, or one that is pushed and not made."""
    if pushed and adapter is None:
        yield (
            f"{where(('hub', 'adapter'))}: hub.adapter is true, but no adapter is trained; "
            "give adapter, such as adapter=lora, or remove hub.adapter"
        )
    if adapter is not None and unfreeze is not None:
        yield (
            f"{where(('train', 'unfreeze'))}: train.unfreeze trains weights of the checkpoint, which an "
            "adapter leaves as they are; remove train.unfreeze or adapter"
        )
