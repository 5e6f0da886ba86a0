"""Sentence similarity: its loss over whole steps, its metrics, and its models in sentence-transformers."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import tiny
from tests.building import difference, make_fitting, make_task
from tests.faults.processes import results
from tests.test_resume import stop_at
from tunekit import workflow
from tunekit.engine.coupling import represented
from tunekit.errors import InputError, Interrupted
from tunekit.hub.files import gather
from tunekit.metrics.similarity import Found, score_retrieval, summarize_similarity
from tunekit.recipe import load
from tunekit.run import Run
from tunekit.stats import totals

TASK = "sentence-similarity"
ROWS, SIZE = 6, 8


@pytest.fixture(scope="module")
def theirs() -> Any:
    """sentence-transformers, which warns of what it imports."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import sentence_transformers.sentence_transformer.evaluation
        import sentence_transformers.sentence_transformer.losses
    return sentence_transformers


def triplets(count: int, start: int = 0) -> list[dict[str, Any]]:
    """Pairs, each with the second text of another one."""
    rows = tiny.pairs(count, start=start)
    return [{**row, "negative": rows[i - 3]["positive"]} for i, row in enumerate(rows)]


def scored(count: int, start: int = 0) -> list[dict[str, Any]]:
    """Pairs with a score: the share of words that both have."""
    rows = tiny.pairs(count, start=start)
    found = []
    for i, row in enumerate(rows):
        pair = {"sentence1": row["anchor"], "sentence2": rows[i - i % 4]["positive"]}
        first, second = (set(text.split()) for text in pair.values())
        found.append({**pair, "score": round(5 * len(first & second) / len(first | second), 3)})
    return found


FORMS = {"pairs": tiny.pairs, "triplets": triplets, "scored": scored}
FAMILY = {"pairs": "bert", "triplets": "gpt2", "scored": "t5"}


@pytest.fixture(scope="module")
def finished(
    checkpoint: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Run]:
    """A maker of finished runs by the form of their rows, each made once."""
    made: dict[str, Run] = {}

    def make(form: str) -> Run:
        if form not in made:
            folder = tmp_path_factory.mktemp(form)
            for number, split in enumerate(("train", "validation", "test")):
                tiny.write_jsonl(folder / "data" / f"{split}.jsonl", FORMS[form](24, start=24 * number))
            model = checkpoint(FAMILY[form])
            file = tiny.recipe(folder / "tiny.yaml", TASK, model, folder / "data", steps=6)
            made[form] = workflow.finetune(file, output=folder / "run")
        return made[form]

    return make


def vectors_of(parts: int) -> Any:
    """Random vectors of rows with so many texts, row after row, shape (rows * parts, size)."""
    import torch

    return torch.randn(ROWS * parts, SIZE, generator=torch.Generator().manual_seed(0))


def inputs_of(parts: int, texts: list[int] | None = None, **further: Any) -> dict[str, Any]:
    """What a step says of its windows."""
    import torch

    numbers = texts or list(range(ROWS * parts))
    return {"part": torch.arange(ROWS * parts) % parts, "text": torch.tensor(numbers), **further}


@pytest.fixture
def task(checkpoint: Callable[..., Path]) -> Any:
    return make_task(TASK, checkpoint("bert"), [], pooling="mean")


@pytest.mark.parametrize("parts", [2, 3])
def test_the_loss_is_that_of_in_batch_negatives_in_sentence_transformers(
    task: Any, theirs: Any, parts: int
) -> None:
    vectors = vectors_of(parts)
    their_loss = theirs.sentence_transformer.losses.MultipleNegativesRankingLoss(model=None)
    wanted = their_loss.compute_loss_from_embeddings([vectors[part::parts] for part in range(parts)], None)
    assert float(task.step_loss(vectors, inputs_of(parts))) == pytest.approx(float(wanted), abs=1e-5)


def test_the_loss_of_scores_is_cosent_of_sentence_transformers(task: Any, theirs: Any) -> None:
    import torch

    vectors, scores = vectors_of(2), torch.tensor([0.0, 2.5, 1.0, 1.0, 5.0, 4.0])  # two are equal
    wanted = theirs.sentence_transformer.losses.CoSENTLoss(model=None).compute_loss_from_embeddings(
        [vectors[::2], vectors[1::2]], scores
    )
    inputs = inputs_of(2, score=scores.repeat_interleave(2))
    assert float(task.step_loss(vectors, inputs)) == pytest.approx(float(wanted), abs=1e-5)


@pytest.mark.parametrize("same", [(1, 3), (0, 2)], ids=["positive", "anchor"])
def test_what_is_as_right_as_the_own_text_is_no_negative(task: Any, same: tuple[int, int]) -> None:
    import torch

    vectors, texts = vectors_of(2), list(range(2 * ROWS))
    texts[same[1]] = texts[same[0]]
    cosines = torch.nn.functional.normalize(vectors, dim=-1)
    scores = cosines[::2] @ cosines[1::2].T * 20
    scores[0, 1] = scores[1, 0] = float("-inf")
    wanted = torch.nn.functional.cross_entropy(scores, torch.arange(ROWS))
    assert float(task.step_loss(vectors, inputs_of(2, texts))) == pytest.approx(float(wanted), abs=1e-5)


def test_a_step_in_pieces_draws_the_same_dropout_twice(
    checkpoint: Callable[..., Path], data: Callable[[str], Path], tmp_path: Path
) -> None:
    import torch

    fitting = make_fitting(tmp_path, TASK, checkpoint("bert"), data(TASK), batch_size=8)
    optimization = fitting.optimization
    optimization.model.train().double()
    fitting.steps.most = 5
    step, before = fitting.steps[0], torch.get_rng_state()
    assert len(step.micros) > 2
    optimization.gradients(step)
    found = {n: p.grad.clone() for n, p in optimization.model.named_parameters() if p.grad is not None}
    optimization.forget()
    torch.set_rng_state(before)
    whole = torch.zeros(len(step.whole.windows), 32, dtype=torch.float64)  # type: ignore[union-attr]
    for micro in step.micros:  # all at once, with their graphs
        _, (part,), _ = represented(optimization, [micro])
        places = step.whole.windows.searchsorted(micro.windows)  # type: ignore[union-attr]
        whole = whole.index_copy(0, torch.from_numpy(places), part)
    optimization.task.step_loss(whole, step.whole.inputs).backward()  # type: ignore[union-attr]
    wanted = {n: p.grad for n, p in optimization.model.named_parameters() if p.grad is not None}
    assert difference(wanted, found) < 1e-9


def test_a_stopped_run_of_steps_in_pieces_ends_as_an_uninterrupted_one(
    checkpoint: Callable[..., Path],
    data: Callable[[str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = checkpoint("bert")
    file = tiny.recipe(tmp_path / "r.yaml", TASK, model, data(TASK), steps=6, micro_batch=5)
    whole = workflow.finetune(file, output=tmp_path / "whole")
    with monkeypatch.context() as patched:
        stop_at(patched, "step", 3)
        with pytest.raises(Interrupted):
            workflow.finetune(file, output=tmp_path / "stopped")
    continued = workflow.finetune(file, output=tmp_path / "stopped")
    assert results(continued.path) == results(whole.path)


@pytest.mark.parametrize("form", FORMS)
def test_the_columns_say_which_metrics_there_are_and_which_picks_the_best(
    form: str, finished: Callable[[str], Run]
) -> None:
    run = finished(form)
    retrieval = ["mrr_at_10", "recall_at_1", "recall_at_5", "recall_at_10"]
    wanted = {
        "pairs": retrieval,
        "triplets": [*retrieval, "triplet_accuracy"],
        "scored": ["spearman", "pearson"],
    }
    assert list(run.metrics()["test"]) == wanted[form]
    assert run.facts["best"]["metric"] == wanted[form][0]


def rows_of(run: Run) -> list[dict[str, Any]]:
    """The test rows of a run."""
    text = (run.path.parent / "data" / "test.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture(scope="module")
def encoder(finished: Callable[[str], Run], theirs: Any) -> Callable[[str], Any]:
    """A maker of runs' models in sentence-transformers, each loaded once."""
    made: dict[str, Any] = {}

    def make(form: str) -> Any:
        if form not in made:
            made[form] = theirs.SentenceTransformer(str(finished(form).model), device="cpu")
        return made[form]

    return make


@pytest.mark.parametrize("form", FORMS)
def test_the_model_folder_gives_the_vectors_of_embed_in_sentence_transformers(
    form: str, finished: Callable[[str], Run], encoder: Callable[[str], Any], tmp_path: Path
) -> None:
    texts = [row.get("anchor", row.get("sentence1")) for row in rows_of(finished(form))]
    source = tiny.write_jsonl(tmp_path / "rows.jsonl", [{"text": text} for text in texts])
    workflow.embed(finished(form).path, str(source), tmp_path / "v.npy")
    assert np.abs(np.load(tmp_path / "v.npy") - encoder(form).encode(texts)).max() < 1e-5


def test_what_sentence_transformers_reads_goes_to_the_hub(finished: Callable[[str], Run]) -> None:
    recipe = load(finished("pairs").path / "recipe.yaml")
    sent = {item.path for item in gather(finished("pairs"), recipe, recipe.hub)}
    assert {"modules.json", "1_Pooling/config.json", "sentence_bert_config.json"} <= sent
    assert "config_sentence_transformers.json" in sent


def value(run: Run, metric: str) -> Any:
    """A test score, to be compared up to rounding."""
    return pytest.approx(run.metrics()["test"][metric]["value"], abs=1e-6)


@pytest.mark.parametrize("form", ["pairs", "triplets"])
def test_retrieval_is_that_of_their_evaluator(
    form: str, finished: Callable[[str], Run], encoder: Callable[[str], Any], theirs: Any
) -> None:
    run = finished(form)
    rows = rows_of(run)
    corpus = {text: str(i) for i, text in enumerate(dict.fromkeys(row["positive"] for row in rows))}
    right: dict[str, set[str]] = {}
    for row in rows:
        right.setdefault(row["anchor"], set()).add(corpus[row["positive"]])
    evaluator = theirs.sentence_transformer.evaluation.InformationRetrievalEvaluator(
        {str(i): row["anchor"] for i, row in enumerate(rows)},
        {number: text for text, number in corpus.items()},
        {str(i): right[row["anchor"]] for i, row in enumerate(rows)},
        write_csv=False,
    )
    found = evaluator(encoder(form))
    assert found["cosine_mrr@10"] == value(run, "mrr_at_10")
    assert [found[f"cosine_recall@{k}"] for k in (1, 5, 10)] == [
        value(run, f"recall_at_{k}") for k in (1, 5, 10)
    ]


def test_triplet_accuracy_is_that_of_their_evaluator(
    finished: Callable[[str], Run], encoder: Callable[[str], Any], theirs: Any
) -> None:
    rows = rows_of(finished("triplets"))
    evaluator = theirs.sentence_transformer.evaluation.TripletEvaluator(
        *([row[part] for row in rows] for part in ("anchor", "positive", "negative")), write_csv=False
    )
    found = evaluator(encoder("triplets"))["cosine_accuracy"]
    assert found == value(finished("triplets"), "triplet_accuracy")


def test_correlations_are_those_of_their_evaluator_and_of_scipy(
    finished: Callable[[str], Run], encoder: Callable[[str], Any], theirs: Any
) -> None:
    from scipy.stats import pearsonr, spearmanr

    run, rows = finished("scored"), rows_of(finished("scored"))
    scores = [row["score"] for row in rows]
    columns = ([row[name] for row in rows] for name in ("sentence1", "sentence2"))
    evaluator = theirs.sentence_transformer.evaluation.EmbeddingSimilarityEvaluator(
        *columns, scores, write_csv=False
    )
    found = evaluator(encoder("scored"))
    assert found["pearson_cosine"] == value(run, "pearson")
    assert found["spearman_cosine"] == value(run, "spearman")
    lines = (run.path / "predictions" / "test.jsonl").read_text().splitlines()
    ours = [json.loads(line)["prediction"]["similarity"] for line in lines]
    assert spearmanr(ours, scores).statistic == value(run, "spearman")
    assert pearsonr(ours, scores).statistic == pytest.approx(
        run.metrics()["test"]["pearson"]["value"], abs=1e-5
    )


def test_rows_of_the_same_first_text_have_the_same_right_ones() -> None:
    a, b, c = np.eye(3)
    found = [
        Found(["who", "Ada"], np.stack([a, a])),
        Found(["who", "Bob"], np.stack([a, b])),
        Found(["where", "Ada"], np.stack([c, a])),  # finds neither: the earlier of two as far comes first
    ]
    metrics = summarize_similarity(totals(score_retrieval(found)))
    assert metrics["recall_at_1"] == pytest.approx((0.5 + 0.5 + 1) / 3)
    assert metrics["mrr_at_10"] == pytest.approx(1)


def test_a_model_of_triplets_is_scored_on_scores_and_asked_about_pairs(
    finished: Callable[[str], Run], tmp_path: Path
) -> None:
    run, file = finished("triplets"), tiny.write_jsonl(tmp_path / "scored.jsonl", scored(12))
    _, metrics = workflow.evaluate(run.path, f"data={file}", output=tmp_path / "out")
    assert list(metrics["test"]) == ["spearman", "pearson"]
    (first, *_) = workflow.predict(run.path, str(tiny.write_jsonl(tmp_path / "p.jsonl", tiny.pairs(2))))
    assert list(first["prediction"]) == ["similarity"]


def test_a_row_with_a_score_and_a_negative_is_refused(
    checkpoint: Callable[..., Path], tmp_path: Path
) -> None:
    rows = [{**row, "score": 1.0} for row in triplets(12)]
    tiny.write_jsonl(tmp_path / "data" / "train.jsonl", rows)
    file = tiny.recipe(tmp_path / "r.yaml", TASK, checkpoint("bert"), tmp_path / "data")
    with pytest.raises(InputError, match="a score or a negative text, and not both"):
        workflow.finetune(file, output=tmp_path / "run")


def test_feature_extraction_is_nothing_to_train(checkpoint: Callable[..., Path], tmp_path: Path) -> None:
    file = tiny.recipe(tmp_path / "r.yaml", "feature-extraction", checkpoint("bert"), tmp_path)
    with pytest.raises(InputError, match="nothing to train: tunekit embed MODEL writes vectors"):
        workflow.finetune(file, output=tmp_path / "run")
