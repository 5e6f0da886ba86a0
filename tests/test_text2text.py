"""Text to text: how inputs are put together, several right outputs, and what they score."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import tiny
from tests.building import make_task
from tunekit import tasks, workflow
from tunekit.errors import InputError
from tunekit.metrics import TEXTS
from tunekit.recipe import load as load_recipe
from tunekit.stats import totals

Checkpoint = Callable[..., Path]
ROW = {
    "input": "Where did Ada go?",
    "context": "Ada went to Paris.",
    "output": {"text": ["Paris", "to Paris"]},
}
WORDS = ["the", "a", "Paris", "paris", "in", "Rome,", "(1900)", "Ada", "U.S.", "runs", "running"]


@pytest.mark.parametrize("seed", range(5))
def test_scores_are_those_of_squad_and_of_rouge_score_with_the_best_reference(seed: int) -> None:
    from rouge_score.rouge_scorer import RougeScorer

    random = np.random.default_rng(seed)
    said = [" ".join(random.choice(WORDS, size)) for size in random.integers(1, 6, 90)]
    predictions, references = said[::3], [list(pair) for pair in zip(said[1::3], said[2::3], strict=True)]
    found = TEXTS.summarize(totals(TEXTS.statistics(predictions, references)))
    scorer = RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=True)
    for name in ("rouge1", "rouge2", "rougeL"):
        best = [scorer.score_multi(r, p)[name].fmeasure for p, r in zip(predictions, references, strict=True)]
        assert found[name] == pytest.approx(np.mean(best), abs=1e-12)
    exact = [
        any(normal(p) == normal(r) for r in several)
        for p, several in zip(predictions, references, strict=True)
    ]
    assert found["exact"] == np.mean(exact)


def normal(text: str) -> str:
    """A text as SQuAD's evaluation script compares it."""
    import re
    import string

    kept = "".join(c for c in text.lower() if c not in set(string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", kept).split())


@pytest.mark.parametrize(
    ("template", "row", "wanted"),
    [
        ("", ROW, "Where did Ada go?\n\nAda went to Paris."),
        ("", {"input": "good"}, "good"),
        ("correct: {input}", {"input": "good"}, "correct: good"),
        (
            "question: {input} context: {context}",
            ROW,
            "question: Where did Ada go? context: Ada went to Paris.",
        ),
        ("{{x}} {input}", {"input": "{context}"}, "{x} {context}"),
    ],
)
def test_a_template_puts_input_and_context_together(
    template: str, row: dict[str, Any], wanted: str, checkpoint: Checkpoint
) -> None:
    task: Any = make_task("text2text", checkpoint("t5"), [], template=template)
    assert task.prompt(row) == wanted


@pytest.mark.parametrize(("template", "bad"), [("", 0), ("{input} context: {context}", 2)])
def test_rows_without_a_context_are_good_unless_the_template_names_it(
    template: str, bad: int, tmp_path: Path
) -> None:
    from tunekit.data.load import load
    from tunekit.recipe import DataSection

    given = [{"input": "a", "context": context, "output": "b"} for context in ("c", "", None)]
    path = tiny.write_jsonl(tmp_path / "train.jsonl", given)
    kind = tasks.find("text2text")
    section = DataSection(path=str(path), validation_share=0, bad_rows="skip")  # type: ignore[call-arg]
    data = load(section, kind, kind.Options(template=template), 0)
    assert (len(data.splits["train"]), len(data.skipped)) == (3 - bad, bad)
    assert [row["context"] for row in data.splits["train"]] == ["c", "", ""][: 3 - bad]


@pytest.mark.parametrize(
    ("template", "wrong"),
    [
        ("{context}", "does not name {input}"),
        ("{question}", "names {question}; there are {input} and {context}"),
        ("{input.__class__}", "names {input.__class__}; there are"),
        ("{input!r}", "says how to write 'input'; name the field alone"),
        ("{input:>9}", "says how to write 'input'; name the field alone"),
        ("{input", "is no template"),
        ("{input} Answer:", "goes on behind its last field.*set task.separator"),
    ],
)
def test_a_template_that_cannot_be_filled_in_is_refused(
    template: str, wrong: str, checkpoint: Checkpoint, tmp_path: Path
) -> None:
    file = tiny.recipe(tmp_path / "r.yaml", "text2text", checkpoint("t5"), tmp_path)
    with pytest.raises(InputError, match=f"task.template is .*{wrong}"):
        load_recipe(file, [f"task.template='{template}'"])


def test_all_right_outputs_are_references_and_the_first_is_taught(checkpoint: Checkpoint) -> None:
    task: Any = make_task("text2text", checkpoint("t5"), [])
    (window,) = task.encode(ROW)
    assert task.reference(ROW) == ["Paris", "to Paris"]
    assert task.target(ROW, window)["labels"] == [*task.plain("Paris"), task.processor.eos_token_id]


def test_a_context_that_a_template_names_is_needed(checkpoint: Checkpoint, tmp_path: Path) -> None:
    data = tiny.write_jsonl(tmp_path / "rows.jsonl", tiny.exchanges(20))
    file = tiny.recipe(tmp_path / "r.yaml", "text2text", checkpoint("t5"), data)
    with pytest.raises(InputError, match="no column for context"):
        workflow.finetune(file, "task.template='{input} {context}'", output=tmp_path / "run")


def test_a_row_without_an_output_is_named(checkpoint: Checkpoint, tmp_path: Path) -> None:
    rows = [*tiny.exchanges(8), {"input": "a film", "output": []}]
    data = tiny.write_jsonl(tmp_path / "rows.jsonl", rows)
    file = tiny.recipe(tmp_path / "r.yaml", "text2text", checkpoint("t5"), data)
    with pytest.raises(InputError, match=r"rows.jsonl:9: there is no output; write what is right"):
        workflow.finetune(file, output=tmp_path / "run")


def test_questions_in_squads_form_are_answered_in_writing(checkpoint: Checkpoint, tmp_path: Path) -> None:
    data = tiny.write_jsonl(tmp_path / "rows.jsonl", tiny.questions(40))
    file = tiny.recipe(tmp_path / "r.yaml", "text2text", checkpoint("gpt2"), data, steps=2)
    run = workflow.finetune(file, "task.max_output=4", output=tmp_path / "run")
    assert {"f1", "exact", "rougeL", "hit_limit", "copy_f1"} <= set(run.metrics()["validation"])
    given = tiny.write_jsonl(
        tmp_path / "new.jsonl", [{"question": "Ada went to", "context": "Ada went to Rome"}]
    )
    (answer,) = workflow.predict(run.path, str(given))
    assert set(answer["prediction"]) == {"output", "cut"}


def test_an_input_that_is_too_long_loses_its_end_before_the_separator(checkpoint: Checkpoint) -> None:
    kind = tasks.find("text2text")
    gpt: Any = make_task("text2text", checkpoint("gpt2"), [])
    task: Any = kind(kind.Options(max_input=40), gpt.processor, [], "AutoModelForCausalLM")
    (window,) = task.encode({"input": "the film was good " * 40})
    assert window.cut
    assert len(window.inputs["input_ids"]) == 40
    assert task.processor.decode(window.inputs["input_ids"]).endswith("\n\nOutput:")
