"""Summarization: what is read, learned, written and scored, by encoder-decoders and by decoders."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import tiny
from tests.building import make_task, quiet
from tunekit import tasks, workflow
from tunekit.data.batches import collate, pad_token_of
from tunekit.data.windows import encode
from tunekit.errors import InputError
from tunekit.metrics.rouge import ROUGE, sentences
from tunekit.models.checkpoint import inspect
from tunekit.models.load import load_model, load_processor
from tunekit.recipe import ModelSection
from tunekit.stats import totals
from tunekit.tasks._summaries import share_copied
from tunekit.tasks.base import IGNORE

Checkpoint = Callable[..., Path]
ROW = {"document": "the film was good and the plot was dull", "summary": "good film", "id": 0}
LONG = {"document": "the film was good " * 40, "summary": "good film " * 40, "id": 1}


def prepared(folder: Path, **options: Any) -> tuple[Any, Any]:
    """The task and the model of a checkpoint."""
    kind = tasks.find("summarization")
    checkpoint = inspect(ModelSection(name=str(folder)), kind)
    chosen = kind.Options(max_document=40, max_summary=8).model_copy(update=options)
    task = kind(chosen, load_processor(checkpoint, kind, quiet), [], checkpoint.head)
    return task, load_model(checkpoint, task, quiet, attention=None, dropout=None).eval()


TEXT = "the cat sat on a mat Mats were sitting runs running. It ended! Did it? yes\nno 12 café"


@pytest.mark.parametrize("seed", range(20))
def test_rouge_is_that_of_the_rouge_score_package(seed: int) -> None:
    from rouge_score.rouge_scorer import RougeScorer

    random = np.random.default_rng(seed)
    texts = [" ".join(random.choice(TEXT.split(" "), size)) for size in random.integers(0, 30, 12)]
    pairs = [(texts[i], [texts[i + 1], texts[i + 2]]) for i in range(0, 12, 3)]
    scorer = RougeScorer(["rouge1", "rouge2", "rougeL", "rougeLsum"], use_stemmer=True)
    lines = {text: "\n".join(sentences(text)) for text in texts}
    wanted = [scorer.score_multi([lines[r] for r in refs], lines[text]) for text, refs in pairs]
    found = ROUGE.summarize(totals(ROUGE.statistics(*zip(*pairs, strict=True))))
    for kind, value in found.items():
        assert value == pytest.approx(np.mean([row[kind].fmeasure for row in wanted]), abs=1e-12)


def test_a_text_of_several_lines_has_a_sentence_a_line() -> None:
    assert sentences("First. Still first\nSecond\n") == ["First. Still first", "Second"]


def test_the_nearest_of_several_references_counts() -> None:
    (row,) = ROUGE.statistics(["a cat"], [["a dog", "a cat"]])
    assert row["rougeL"] == 1.0


def test_a_model_that_continues_learns_the_summary_and_its_end_alone(checkpoint: Checkpoint) -> None:
    task, _ = prepared(checkpoint("gpt2"))
    (window,) = task.encode(ROW)
    learned = task.target(ROW, window)
    prompt = len(window.inputs["input_ids"])
    assert learned["labels"][:prompt] == [IGNORE] * prompt
    assert learned["labels"][prompt:] == learned["input_ids"][prompt:]
    assert learned["labels"][-1] == task.processor.eos_token_id
    assert task.processor.decode(learned["input_ids"]) == (
        f"{ROW['document']}\n\nSummary: {ROW['summary']}{task.processor.eos_token}"
    )


@pytest.mark.parametrize("family", ["gpt2", "llama", "qwen3"])
def test_a_long_document_is_cut_before_the_separator(family: str, checkpoint: Checkpoint) -> None:
    task, _ = prepared(checkpoint(family))
    (window,) = task.encode(LONG)
    assert window.cut
    assert len(window.inputs["input_ids"]) == 40
    assert task.processor.decode(window.inputs["input_ids"]).endswith("\n\nSummary:")


@pytest.mark.parametrize("family", tiny.able("summarization"))
def test_a_summary_longer_than_the_limit_is_counted(family: str, checkpoint: Checkpoint) -> None:
    task, _ = prepared(checkpoint(family))
    encoded = encode(task, [ROW, LONG], targets=True)
    assert encoded.lost == 1
    assert all((window.inputs["labels"] != IGNORE).sum() <= 8 for window in encoded.windows)


@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_padding_on_the_left_changes_nothing_that_is_written(family: str, checkpoint: Checkpoint) -> None:
    import torch

    task, model = prepared(checkpoint(family, dropout=False))
    rows = [ROW, LONG, {"document": "a film"}]
    windows = [window for row in rows for window in encode(task, [row], targets=False).windows]
    with torch.no_grad():
        pad = pad_token_of(task.processor)
        together = task.predict(model, collate(windows, pad, left=task.pads_left))["tokens"]
        alone = [task.predict(model, collate([w], pad, left=True))["tokens"][0] for w in windows]
    for row, single in zip(together, alone, strict=True):
        assert row[: len(single)].tolist() == single.tolist()


@pytest.mark.parametrize("family", tiny.able("summarization"))
def test_how_a_checkpoint_used_to_write_is_forgotten(family: str, checkpoint: Checkpoint) -> None:
    task, model = prepared(checkpoint(family), beams=2)
    settings = model.generation_config
    assert (settings.max_new_tokens, settings.num_beams) == (8, 2)
    assert settings.do_sample is False  # a pipeline takes None for yes
    assert settings.forced_eos_token_id is None  # BART's, which would make a cut summary look finished


def test_a_summary_that_does_not_end_is_marked_as_cut(checkpoint: Checkpoint) -> None:
    task, _ = prepared(checkpoint("t5"))
    (window,) = task.encode(ROW)
    words = task.plain("good film")
    for tokens, cut in ((words, True), ([*words, task.processor.eos_token_id, 0], False)):
        window.outputs = {"tokens": np.array(tokens)}
        assert task.decode(ROW, [window]) == {"summary": "good film", "cut": cut}


def test_the_share_of_cut_summaries_is_reported(checkpoint: Checkpoint) -> None:
    task = make_task("summarization", checkpoint("t5"), [])
    answers = [{"summary": "good film", "cut": cut} for cut in (True, False, False, False)]
    found = task.summarize(totals(task.statistics(answers, [["good film"]] * 4)))
    assert found["hit_limit"] == 0.25


def test_the_baseline_takes_the_first_sentences(checkpoint: Checkpoint) -> None:
    task = make_task("summarization", checkpoint("t5"), [], lead=2)
    (answer,) = task.baselines([{"document": "One. Two! Three?"}])["lead2"]
    assert answer == "One. Two!"


def test_several_references_alone_are_enough(checkpoint: Checkpoint, tmp_path: Path) -> None:
    def several(row: dict[str, Any]) -> dict[str, Any]:
        return {"document": row["document"], "summaries": [row["summary"], "bad film"]}

    data = tiny.write_jsonl(tmp_path / "rows.jsonl", map(several, tiny.documents(40)))
    file = tiny.recipe(tmp_path / "sum.yaml", "summarization", checkpoint("t5"), data, steps=2)
    run = workflow.finetune(file, output=tmp_path / "run")
    assert {"rougeL", "hit_limit", "lead3_rougeL"} <= set(run.metrics()["validation"])


def test_an_empty_reference_is_named(checkpoint: Checkpoint, tmp_path: Path) -> None:
    rows = [*tiny.documents(8), {"document": "a film", "summary": " "}]
    data = tiny.write_jsonl(tmp_path / "rows.jsonl", rows)
    file = tiny.recipe(tmp_path / "sum.yaml", "summarization", checkpoint("t5"), data)
    with pytest.raises(InputError, match=r"rows.jsonl:9: summary is empty"):
        workflow.finetune(file, output=tmp_path / "run")


def test_a_tokenizer_without_an_end_is_refused(checkpoint: Checkpoint, tmp_path: Path) -> None:
    from transformers import AutoTokenizer, GPT2LMHeadModel

    folder = tmp_path / "endless"
    GPT2LMHeadModel.from_pretrained(checkpoint("gpt2")).save_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(checkpoint("gpt2"))
    tokenizer.eos_token = None
    tokenizer.save_pretrained(folder)
    with pytest.raises(InputError, match="no end token"):
        prepared(folder)


def test_lengths_shrink_to_what_the_model_takes() -> None:
    options = tasks.find("summarization").Options()
    together = options.fitted(64, "AutoModelForCausalLM")  # type: ignore[attr-defined]
    assert together.max_document + together.max_summary == 64
    apart = options.fitted(64, "AutoModelForSeq2SeqLM")  # type: ignore[attr-defined]
    assert (apart.max_document, apart.max_summary) == (64, 16)


@pytest.mark.parametrize("asked", [{"max_document": 60, "max_summary": 8}, {"max_summary": 65}])
def test_lengths_that_the_model_cannot_take_are_refused(asked: dict[str, int]) -> None:
    options = tasks.find("summarization").Options(**asked)
    with pytest.raises(InputError, match="lower them"):
        options.fitted(64, "AutoModelForCausalLM")  # type: ignore[attr-defined]


@pytest.mark.parametrize("family", ["gpt2", "t5"])
def test_a_prefix_that_leaves_no_room_for_a_document_is_refused(family: str, checkpoint: Checkpoint) -> None:
    with pytest.raises(InputError, match="leaves no room for a document"):
        prepared(checkpoint(family), prefix="was fine " * 30)


def test_the_share_that_is_copied_counts_runs_of_three_words() -> None:
    document = "the cast was great and the film was dull"
    assert share_copied("the cast was great", document) == 1.0
    assert share_copied("the cast was dull", document) == 0.5
    assert share_copied("a film", document) == 0.0
