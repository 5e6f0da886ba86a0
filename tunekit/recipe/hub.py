"""The section of a recipe that says where a finished run is pushed to."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationError

from tunekit.errors import InputError, listing, nearest
from tunekit.recipe.base import Section
from tunekit.recipe.reading import Place


def repository(name: str) -> str:
    """Refuse what is no id of a repository of the Hub."""
    part = r"(?!-|\.)(?!.*(--|\.\.))[\w.-]{1,96}(?<!-|\.)(?<!\.git)"
    if not re.fullmatch(rf"{part}/{part}", name, re.ASCII):
        raise ValueError("give user/name, of letters, digits, dots, dashes and underscores")
    return name


class BenchmarkSection(Section):
    """A benchmark of the Hub that the test split is of: its scores are listed there."""

    dataset: str = Field(min_length=3, description="Hub id of the benchmark")
    task_id: str = Field(min_length=1, description="one of the benchmark's tasks")
    metric: str = Field(min_length=1, description="which of the task's metrics it lists")


class HubSection(Section):
    """Where a finished run is pushed to. Tokens have no place here: HF_TOKEN, or hf auth login."""

    repo: Annotated[str, AfterValidator(repository)] | None = Field(
        None, description="Hub id; the run is pushed there at its end"
    )
    private: bool = Field(True, description="whether only you, or your organization, can see it")
    revision: str | None = Field(None, min_length=1, description="branch to push to")
    create_pr: bool = Field(False, description="propose the files as a pull request")
    adapter: bool = Field(False, description="push the adapter alone, without the merged model")
    card: str | None = Field(None, min_length=1, description="template of the model card; Jinja")
    benchmark: BenchmarkSection | None = Field(None, description="benchmark that the scores are of")

    def changed(self, given: Mapping[str, Any]) -> "HubSection":
        """The section with what is given, and not None.

        Raises:
            InputError: something given is not valid.
        """
        values = self.model_dump() | {key: value for key, value in given.items() if value is not None}
        try:
            return HubSection.model_validate(values)
        except ValidationError as error:
            said = {str(each["loc"][0]): each["msg"].split(", ", 1)[-1] for each in error.errors()}
            raise InputError([f"{key} is {values[key]!r}; {text}" for key, text in said.items()]) from None


def wrong_hub(where: Callable[[Place], str], hub: HubSection, metrics: Sequence[str]) -> Iterator[str]:
    """A benchmark's metric that the task does not have."""
    if hub.benchmark and hub.benchmark.metric not in metrics:
        name = hub.benchmark.metric
        yield (
            f"{where(('hub', 'benchmark', 'metric'))}: hub.benchmark.metric {name!r} is no metric of "
            f"the task{nearest(name, metrics)}; choose from {listing(metrics)}"
        )
