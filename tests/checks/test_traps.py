"""Traps of model families, the Hub's answer, and the cost of a run."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests import tiny
from tests.checks import planting
from tests.checks.conftest import TASK
from tunekit import prepare
from tunekit import recipe as recipes
from tunekit.checks import Finding, Report, Subject, target
from tunekit.errors import EnvironmentFailure, InputError
from tunekit.recipe import HubSection
from tunekit.run import Run

Examine = Callable[..., Report]
Checkpoint = Callable[..., Path]


def names(report: Report, grade: str) -> set[str]:
    """The names of the findings of a grade."""
    return {finding.name for finding in report.of(grade)}


def test_a_missing_pad_token_is_noted(examine: Examine, clean: Path, checkpoint: Checkpoint) -> None:
    assert "pad token" in names(examine(clean, model=checkpoint("gpt2")), "note")


def tagged(folder: Path) -> Path:
    """Sentences whose entities begin with capitals."""
    tiny.write_jsonl(folder / "train.jsonl", tiny.sentences(60))
    return folder


@pytest.mark.parametrize(
    ("family", "warned"), [("gpt2", True), ("llama", True), ("roberta", False), ("t5", False)]
)
def test_a_model_that_reads_forward_only_is_no_tagger(
    family: str, warned: bool, examine: Examine, tmp_path: Path, checkpoint: Checkpoint
) -> None:
    report = examine(tagged(tmp_path), task="token-classification", model=checkpoint(family))
    assert ("reading direction" in names(report, "warning")) == warned


def test_a_model_that_reads_forward_only_may_classify_whole_texts(
    examine: Examine, clean: Path, checkpoint: Checkpoint
) -> None:
    assert "reading direction" not in names(examine(clean, model=checkpoint("gpt2")), "warning")


@pytest.mark.parametrize(("family", "warned"), [("bert", True), ("roberta", False)])
def test_a_tokenizer_that_drops_capitals_of_entities_is_told(
    family: str, warned: bool, examine: Examine, tmp_path: Path, checkpoint: Checkpoint
) -> None:
    report = examine(tagged(tmp_path), task="token-classification", model=checkpoint(family))
    assert ("lost capitals" in names(report, "warning")) == warned


def test_capitals_that_tell_nothing_may_be_lost(examine: Examine, tmp_path: Path) -> None:
    rows = [{**row, "tokens": [word.lower() for word in row["tokens"]]} for row in tiny.sentences(60)]
    report = examine({"train": rows}, task="token-classification")
    assert "lost capitals" not in names(report, "warning")


def test_a_precision_that_the_device_does_not_have_is_an_error(examine: Examine, clean: Path) -> None:
    report = examine(clean, "train.precision=fp16")
    (finding,) = report.of("error")
    assert (finding.name, finding.advice, report.code) == ("precision", "use auto", 2)


def test_a_limit_that_the_model_lowers_is_noted(examine: Examine, clean: Path) -> None:
    assert "task.max_length is 128 instead of 512" in str(examine(clean).findings)


def test_the_disk_that_a_run_takes_is_told(examine: Examine, clean: Path) -> None:
    assert "disk" in names(examine(clean), "note")


@pytest.fixture(scope="module")
def subject(clean: Path, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Subject:
    """A recipe that names a repository."""
    file = tiny.recipe(tmp_path_factory.mktemp("hub") / "recipe.yaml", TASK, model, clean)
    recipe = recipes.load(file, ["hub.repo=ada/reviews"])
    return Subject(**vars(prepare.check(recipe, Run(file.parent / "run", writes=False), overwrite=True)))


def asked(subject: Subject, ask: Callable[[HubSection], None] | None) -> list[Finding]:
    """What is found when the Hub is asked so."""
    return list(target.find_refusal(replace(subject, ask_hub=ask)))


def refuse(section: HubSection) -> None:
    """Refuse a repository."""
    raise InputError(f"repository {section.repo} is public; give another")


def fail(section: HubSection) -> None:
    """Be out of reach."""
    raise EnvironmentFailure("there is no token; set HF_TOKEN")


def test_without_a_network_nobody_is_asked(subject: Subject) -> None:
    (finding,) = asked(subject, refuse)
    assert finding.grade == "note"


@pytest.mark.parametrize(("ask", "name", "code"), [(refuse, "hub", 2), (fail, "environment", 3)])
def test_a_refusal_of_the_hub_is_an_error(
    ask: Callable[[HubSection], None], name: str, code: int, subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE")
    found = asked(subject, ask)
    assert [(finding.grade, finding.name) for finding in found] == [("error", name)]
    assert Report("r", found).code == code


def test_a_repository_that_may_be_pushed_to_is_noted(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE")
    assert [finding.grade for finding in asked(subject, lambda section: None)] == ["note"]


def test_where_nothing_can_be_pushed_nothing_is_asked(subject: Subject) -> None:
    assert not asked(subject, None)


def test_data_with_a_long_row_cost_its_longest_batch(model: Path, tmp_path: Path) -> None:
    from tests.building import make_fitting
    from tunekit.checks import cost

    rows = planting.splits(64, 8)
    rows["train"][11]["text"] = " ".join(planting.WORDS[:120])
    for split, found in rows.items():
        tiny.write_jsonl(tmp_path / "data" / f"{split}.jsonl", found)
    fitting = make_fitting(tmp_path, TASK, model, tmp_path / "data", batch_size=8)
    _, longest = cost.chosen_steps(fitting.steps, fitting.total)
    assert 11 in fitting.steps.rows_of(longest)
