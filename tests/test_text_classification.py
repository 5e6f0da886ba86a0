"""Text classification in its kinds: one label, any number of labels, a number, and pairs of texts."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn.metrics
import sklearn.utils.class_weight
import torch

from tests import tiny
from tests.building import difference, gradients, make_fitting, make_task
from tunekit import tasks, workflow
from tunekit.data import columns
from tunekit.data.files import from_dataset
from tunekit.data.load import Data, load
from tunekit.data.streams import stream
from tunekit.data.values import Normalizer
from tunekit.errors import InputError
from tunekit.models.finetuned import load_task
from tunekit.recipe import DataSection
from tunekit.recipe import load as load_recipe
from tunekit.run import Run
from tunekit.tasks._forms import best_threshold, several_hot

NAME = "text-classification"
TEXTS = tasks.find(NAME)
LIMIT = 1e-4  # of relative differences: gradients that nearly cancel keep fewer digits


def topics(count: int, start: int = 0) -> list[dict[str, Any]]:
    """Texts with a label for each of two words that they hold; some have neither."""
    rows = []
    for i in range(start, start + count):
        words = ["the"] * (1 + i * 7 % 5) + ["good"] * (i % 2) + ["Paris"] * (i // 2 % 2) + ["film"]
        labels = ["praise"] * (i % 2) + ["place"] * (i // 2 % 2)
        rows.append({"text": " ".join(words), "labels": labels})
    return rows


def ratings(count: int, start: int = 0) -> list[dict[str, Any]]:
    """Texts whose score follows from one word."""
    scores = {"bad": -1.0, "was": 0.25, "great": 1.5}
    words = [list(scores)[i % 3] for i in range(start, start + count)]
    return [
        {"text": f"the film {word}" + " and" * (i % 4), "score": scores[word]} for i, word in enumerate(words)
    ]


def pairs(count: int, start: int = 0) -> list[dict[str, Any]]:
    """Pairs of which the second text alone has the label; the first is longer or shorter."""
    rows = []
    for i in range(start, start + count):
        premise = " ".join(["the", "cast", "was"] * (1 + i % 3))
        hypothesis = f"film {'good' if i % 2 else 'dull'}"
        rows.append({"premise": premise, "hypothesis": hypothesis, "label": "yes" if i % 2 else "no"})
    return rows


VARIANTS: dict[str, tuple[Callable[..., list[dict[str, Any]]], list[str]]] = {
    "multi-label": (topics, ["task.kind=multi-label"]),
    "regression": (ratings, ["task.kind=regression"]),
    "pair": (pairs, []),
}
CELLS = [(variant, family) for variant in VARIANTS for family in ("bert", "gpt2")]
Finished = Callable[[str, str], Run]


def every_cell(test: Callable[..., None]) -> Callable[..., None]:
    """Run a test for each variant with each of two families."""
    return pytest.mark.parametrize(("variant", "family"), CELLS, ids=lambda value: value)(test)


def written(folder: Path, variant: str, *, train: int = 48, others: int = 12) -> Path:
    """A folder of a variant's splits."""
    make, _ = VARIANTS[variant]
    for split, count, start in (("train", train, 0), ("validation", others, 48), ("test", others, 60)):
        tiny.write_jsonl(folder / f"{split}.jsonl", make(count, start))
    return folder


@pytest.fixture(scope="module")
def finished(checkpoint: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A maker of finished runs by variant and family, each made once."""
    made: dict[tuple[str, str], Run] = {}

    def make(variant: str, family: str) -> Run:
        if (variant, family) not in made:
            folder = tmp_path_factory.mktemp(f"{variant}-{family}")
            model, data = checkpoint(family, dropout=False), written(folder / "data", variant)
            settings: dict[str, Any] = dict(steps=200, evaluate_every=1000, save_every=1000)
            file = tiny.recipe(folder / "tiny.yaml", NAME, model, data, **settings)
            made[variant, family] = workflow.finetune(file, *VARIANTS[variant][1], output=folder / "run")
        return made[variant, family]

    return make


def predictions(run: Run) -> list[dict[str, Any]]:
    """The run's predictions for the test split."""
    lines = (run.path / "predictions" / "test.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


@every_cell
def test_it_learns(variant: str, family: str, finished: Finished) -> None:
    first = next(iter(finished(variant, family).metrics()["test"].values()))
    assert first["value"] >= 0.9


@every_cell
def test_predict_answers_as_the_run_did(variant: str, family: str, finished: Finished) -> None:
    from tunekit.proof import same

    run = finished(variant, family)
    found = [
        row["prediction"] for row in workflow.predict(run.path, str(run.path.parent / "data" / "test.jsonl"))
    ]
    assert all(map(same, found, [row["prediction"] for row in predictions(run)]))


@every_cell
def test_gradients_do_not_depend_on_the_cuts(
    variant: str, family: str, checkpoint: Callable[..., Path], tmp_path: Path
) -> None:
    weighed = ["task.class_weights=auto"] if variant != "regression" else []
    fitting = make_fitting(
        tmp_path,
        NAME,
        checkpoint(family, dropout=False),
        written(tmp_path / "data", variant, train=31),
        *VARIANTS[variant][1],
        *weighed,
        batch_size=31,
    )
    steps = fitting.steps
    steps.most = 31
    whole = gradients(fitting.optimization, steps)
    for most in (7, 1):
        steps.most = most
        assert difference(whole, gradients(fitting.optimization, steps)) < LIMIT


def test_weighed_gradients_do_not_depend_on_the_cuts(checkpoint: Callable[..., Path], tmp_path: Path) -> None:
    rows = [{**row, "label": "neutral"} if i % 7 == 0 else row for i, row in enumerate(tiny.reviews(31))]
    data = tiny.write_jsonl(tmp_path / "d.jsonl", rows)
    extra = ["task.class_weights=auto", "task.label_smoothing=0.1", "data.validation_share=0"]
    model = checkpoint("bert", dropout=False)
    fitting = make_fitting(tmp_path, NAME, model, data, *extra, batch_size=31)
    fitting.steps.most = 31
    whole = gradients(fitting.optimization, fitting.steps)
    fitting.steps.most = 4
    assert len(fitting.steps[0].micros) == 8
    assert difference(whole, gradients(fitting.optimization, fitting.steps)) < LIMIT


def test_the_thresholds_of_the_best_model_are_stored_and_used(finished: Finished) -> None:
    run = finished("multi-label", "bert")
    _, task = load_task(run.model)
    thresholds = task.decision["thresholds"]
    assert set(thresholds) == {"praise", "place"}
    for row in predictions(run):
        answer = row["prediction"]
        assert answer["labels"] == [k for k, p in answer["probabilities"].items() if p >= thresholds[k]]


def test_a_stored_threshold_moves_the_answers(finished: Finished, tmp_path: Path) -> None:
    import shutil

    run = finished("multi-label", "bert")
    model = shutil.copytree(run.model, tmp_path / "model")
    facts = json.loads((model / "tunekit.json").read_text())
    facts["decision"]["thresholds"]["place"] = 1.1
    (model / "tunekit.json").write_text(json.dumps(facts))
    answers = workflow.predict(model, str(run.path.parent / "data" / "test.jsonl"))
    assert not any("place" in row["prediction"]["labels"] for row in answers)


def test_transformers_pipeline_gives_the_same_probabilities(finished: Finished) -> None:
    from transformers import pipeline

    run = finished("multi-label", "bert")
    answer = predictions(run)[3]["prediction"]
    (found,) = pipeline("text-classification", model=str(run.model), top_k=None)([topics(1, 63)[0]["text"]])
    assert {each["label"]: each["score"] for each in found} == pytest.approx(
        answer["probabilities"], abs=1e-4
    )


def test_transformers_pipeline_gives_the_same_number(finished: Finished) -> None:
    from transformers import pipeline

    run = finished("regression", "bert")
    answer = predictions(run)[0]["prediction"]
    row = json.loads((run.path.parent / "data" / "test.jsonl").read_text().splitlines()[0])
    (found,) = pipeline("text-classification", model=str(run.model))(row["text"])
    assert found["score"] == pytest.approx(answer["value"], abs=1e-4)


def test_a_model_of_pairs_needs_pairs(finished: Finished, tmp_path: Path) -> None:
    run = finished("pair", "bert")
    path = tiny.write_jsonl(tmp_path / "d.jsonl", [{"premise": "the film"}])
    with pytest.raises(InputError, match="has no column for pair"):
        list(workflow.predict(run.path, str(path)))


def test_a_model_of_single_texts_reads_no_second_one(checkpoint: Callable[..., Path]) -> None:
    assert make_task(NAME, checkpoint("bert"), ["no", "yes"]).given == ["text"]


@pytest.mark.parametrize("family", tiny.able(NAME))
def test_something_stands_between_the_texts_of_a_pair(family: str, checkpoint: Callable[..., Path]) -> None:
    task = make_task(NAME, checkpoint(family), ["no", "yes"])
    (window,) = task.encode({"text": "the film", "pair": "was good"})
    (alone,) = task.encode({"text": "the film was good"})
    assert len(window.inputs["input_ids"]) > len(alone.inputs["input_ids"])


def test_of_a_pair_the_longer_text_is_cut(checkpoint: Callable[..., Path]) -> None:
    task = make_task(NAME, checkpoint("bert"), ["no", "yes"], max_length=10)
    (window,) = task.encode({"text": "the film was " * 9, "pair": "poor cast"})
    assert task.processor.decode(window.inputs["input_ids"]).endswith("poor cast [SEP]")
    assert window.cut


def test_automatic_weights_are_scikit_learns_balanced_ones(checkpoint: Callable[..., Path]) -> None:
    labels = ["good"] * 7 + ["bad"] * 2 + ["dull"]
    task = make_task(NAME, checkpoint("bert"), ["bad", "dull", "good"], class_weights="auto")
    found = task.learn([{"text": "x", "label": label} for label in labels])["weights"]
    names = np.array(task.labels)
    wanted = sklearn.utils.class_weight.compute_class_weight("balanced", classes=names, y=labels)
    assert [found[label] for label in task.labels] == pytest.approx(wanted)


def test_a_weighed_loss_is_the_mean_over_examples_of_weight_times_loss(
    checkpoint: Callable[..., Path],
) -> None:
    task = make_task(NAME, checkpoint("bert"), ["bad", "good"], class_weights={"bad": 3})
    task.learned = task.learn([{"label": "bad"}, {"label": "good"}])
    logits, labels = torch.tensor([[2.0, 0.0], [1.0, 0.5], [0.0, 4.0]]), torch.tensor([0, 1, 1])
    each = torch.nn.functional.cross_entropy(logits, labels, reduction="none")
    loss = task.form.loss(logits, labels)  # type: ignore[attr-defined]
    assert float(loss) == pytest.approx(float((3 * each[0] + each[1] + each[2]) / 3))


def test_automatic_weights_of_several_labels_are_the_rows_without_per_row_with(
    checkpoint: Callable[..., Path],
) -> None:
    task = make_task(NAME, checkpoint("bert"), ["a", "b"], kind="multi-label", class_weights="auto")
    rows = [{"labels": ["a"]}, {"labels": ["a", "b"]}, {"labels": ["a"]}, {"labels": []}]
    assert task.learn(rows)["weights"] == {"a": pytest.approx(1 / 3), "b": 3.0}


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_loss_of_several_labels_is_torchs(smoothing: float, checkpoint: Callable[..., Path]) -> None:
    settings: dict[str, Any] = {
        "kind": "multi-label",
        "class_weights": {"b": 2.0},
        "label_smoothing": smoothing,
    }
    task = make_task(NAME, checkpoint("bert"), ["a", "b", "c"], **settings)
    task.learned = {"weights": {"b": 2.0}}
    logits = torch.tensor([[1.0, -2.0, 0.5], [0.0, 3.0, -1.0]])
    hot = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]]) * (1 - smoothing) + smoothing / 2
    wanted = torch.nn.BCEWithLogitsLoss(pos_weight=torch.tensor([1.0, 2.0, 1.0]))(logits, hot)
    found = task.form.loss(logits, torch.tensor([[0, 2], [-100, -100]]))  # type: ignore[attr-defined]
    assert float(found) == pytest.approx(float(wanted))


def test_several_labels_are_marked_and_padding_is_not() -> None:
    labels = torch.tensor([[2, 0], [1, -100], [-100, -100]])
    assert several_hot(labels, torch.zeros(3, 3)).tolist() == [[1, 0, 1], [0, 1, 0], [0, 0, 0]]


def test_examples_without_labels_alone_have_a_loss() -> None:
    assert several_hot(torch.zeros(2, 0, dtype=torch.int64), torch.zeros(2, 3)).sum() == 0


@pytest.mark.parametrize("seed", range(8))
def test_no_threshold_has_a_better_f1(seed: int) -> None:
    random = np.random.default_rng(seed)
    wanted = random.random(40) < 0.3
    probabilities = np.clip(0.3 * wanted + random.random(40) * 0.6, 0, 1).round(1 + seed % 3)  # with equals

    def f1(threshold: float) -> float:
        return float(sklearn.metrics.f1_score(wanted, probabilities >= threshold, zero_division=0.0))

    found = best_threshold(probabilities, wanted)
    assert f1(found) == pytest.approx(max(f1(each) for each in np.linspace(0, 1, 2001)))


def test_a_label_that_validation_lacks_keeps_a_half() -> None:
    assert best_threshold(np.array([0.2, 0.9]), np.array([False, False])) == 0.5


def test_a_half_is_kept_where_nothing_is_better() -> None:
    assert best_threshold(np.array([0.9, 0.6, 0.3]), np.array([True, True, False])) == 0.5


@pytest.mark.parametrize(
    ("kind", "rows", "constant"),
    [
        ("multi-class", [{"label": "b"}, {"label": "a"}, {"label": "b"}], "b"),
        ("multi-label", [{"labels": ["a", "b"]}, {"labels": ["b"]}, {"labels": []}], ["b"]),
        ("multi-label", [{"labels": ["a"]}, {"labels": []}, {"labels": []}], ["a"]),
        ("regression", [{"value": 1.0}, {"value": 2.0}], 1.5),
    ],
)
def test_the_baseline_is_the_best_constant(
    kind: str, rows: list[dict[str, Any]], constant: Any, checkpoint: Callable[..., Path]
) -> None:
    labels = [] if kind == "regression" else ["a", "b"]
    task = make_task(NAME, checkpoint("bert"), labels, kind=kind)
    task.learned = task.learn(rows)
    (answers,) = task.baselines(rows).values()
    assert answers == [constant] * len(rows)


def test_the_run_tells_what_the_most_frequent_label_is_worth(finished: Finished) -> None:
    scores = finished("pair", "bert").metrics()["test"]
    assert scores["majority_accuracy"]["value"] == 0.5


def read(folder: Path, rows: list[dict[str, Any]], **options: Any) -> Data:
    """The rows as a recipe with these options reads them."""
    path = tiny.write_jsonl(folder / "d.jsonl", rows)
    return load(DataSection(path=str(path), validation_share=0), TEXTS, TEXTS.Options(**options), 0)


@pytest.mark.parametrize(
    ("kind", "column", "values", "advice"),
    [
        ("multi-class", "label", [["a"], ["b"], []], "task.kind=multi-label"),
        ("multi-class", "label", [0.5, 0.7, 1.0], "task.kind=regression"),
        ("multi-label", "labels", ["a", "b", "a"], "task.kind=multi-class"),
        ("regression", "score", ["a", "b", "a"], "task.kind=multi-class"),
        ("regression", "labels", [["a"], ["b"], []], "task.kind=multi-label"),
    ],
)
def test_values_of_another_kind_are_told_their_kind(
    kind: str, column: str, values: list[Any], advice: str, tmp_path: Path
) -> None:
    rows = [{"text": f"text {i}", column: value, "source": "web"} for i, value in enumerate(values)]
    with pytest.raises(InputError) as caught:
        read(tmp_path, rows, kind=kind)
    assert all(advice in problem for problem in caught.value.problems)


def test_many_fractions_in_csv_are_told_to_be_numbers(tmp_path: Path) -> None:
    lines = [f"text {i},{i / 8}" for i in range(30)]
    (tmp_path / "d.csv").write_text("\n".join(["text,label", *lines]))
    with pytest.raises(
        InputError, match="30 labels, all of them numbers, such as .*set task.kind=regression"
    ):
        load(DataSection(path=str(tmp_path / "d.csv"), validation_share=0), TEXTS, TEXTS.Options(), 0)


def test_a_few_ratings_with_halves_are_labels(tmp_path: Path) -> None:
    data = read(tmp_path, [{"text": "x", "label": f"{i / 2}"} for i in range(10)])
    assert len(data.labels) == 10


def test_lists_of_class_labels_become_their_names() -> None:
    from datasets import ClassLabel, Dataset, Features, List, Value

    features = Features({"text": Value("string"), "labels": List(ClassLabel(names=["b", "a"]))})
    table = from_dataset(
        Dataset.from_dict({"text": ["x", "y"], "labels": [[1, 0], []]}, features=features), "m"
    )
    roles = columns.roles_of(TEXTS, TEXTS.Options(kind="multi-label"), targets=True)
    found = columns.resolve(table, roles, None)
    assert Normalizer(table, roles, found).row(0) == ({"text": "x", "labels": ["a", "b"]}, [])
    assert Normalizer(table, roles, found).row(1) == ({"text": "y", "labels": []}, [])


def test_one_row_of_another_kind_is_told_its_kind(tmp_path: Path) -> None:
    rows = [{"text": "x", "labels": ["a", "b"]}, {"text": "y", "labels": "a"}]
    with pytest.raises(
        InputError, match=r"d.jsonl:2: labels is 'a', not a list of labels; for one label a row"
    ):
        read(tmp_path, rows, kind="multi-label")


def test_rows_without_any_label_are_kept(tmp_path: Path) -> None:
    data = read(
        tmp_path, [{"text": "x", "labels": ["b", "a"]}, {"text": "y", "labels": []}], kind="multi-label"
    )
    assert [row["labels"] for row in data.splits["train"]] == [["b", "a"], []]
    assert data.labels == ["a", "b"]


def test_a_label_that_a_row_has_twice_counts_once_and_is_reported(tmp_path: Path) -> None:
    rows = [{"text": "x", "labels": ["b", "a", "b"]}, {"text": "y", "labels": ["a"]}]
    data = read(tmp_path, rows, kind="multi-label")
    assert data.splits["train"][0]["labels"] == ["b", "a"]
    assert "labels b, a, b are not all different" in data.corrected[0]


def test_labels_in_one_csv_cell_are_parted(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("text,labels\nx,a|b\ny,\nz, b\n")
    options = TEXTS.Options(kind="multi-label", label_separator="|")
    data = load(DataSection(path=str(tmp_path / "d.csv"), validation_share=0), TEXTS, options, 0)
    assert [row["labels"] for row in data.splits["train"]] == [["a", "b"], [], ["b"]]


def test_numbers_in_csv_are_numbers(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("text,score\nx,1.5\ny,-2\n")
    options = TEXTS.Options(kind="regression")
    data = load(DataSection(path=str(tmp_path / "d.csv"), validation_share=0), TEXTS, options, 0)
    assert [row["value"] for row in data.splits["train"]] == [1.5, -2.0]


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        (
            "class_weights=often",
            "task.class_weights is often; give auto, or a positive number for each label",
        ),
        (
            "class_weights={a: -1}",
            "task.class_weights: give auto, or a positive number for each label, such as",
        ),
        ("class_weights={a: 1, b: nan}", "give auto, or a positive number for each label"),
        ("class_weights={}", "give auto, or a positive number for each label"),
        ("label_smoothing=1", "task.label_smoothing is 1; give a number less than 1"),
        ("kind=multilabel", "task.kind is multilabel; did you mean 'multi-label'?"),
        ("label_separator=;", "label_separator is for kind: multi-label, not multi-class; remove it"),
    ],
)
def test_a_wrong_option_is_refused_with_what_to_give(override: str, problem: str, tmp_path: Path) -> None:
    file = tiny.recipe(tmp_path / "r.yaml", NAME, tmp_path, tmp_path)
    with pytest.raises(InputError) as caught:
        load_recipe(file, [f"task.{override}"])
    assert problem in str(caught.value.problems)


@pytest.mark.parametrize("override", ["class_weights=auto", "label_smoothing=0.1"])
def test_numbers_have_no_options_of_labels(override: str, tmp_path: Path) -> None:
    file = tiny.recipe(tmp_path / "r.yaml", NAME, tmp_path, tmp_path)
    with pytest.raises(InputError, match="is for labels, and regression has none; remove it"):
        load_recipe(file, ["task.kind=regression", f"task.{override}"])


def test_a_weight_of_an_unknown_label_is_told_the_nearest(checkpoint: Callable[..., Path]) -> None:
    with pytest.raises(InputError, match="names 'god', which is no label; did you mean 'good'?"):
        make_task(NAME, checkpoint("bert"), ["bad", "good"], class_weights={"god": 2})


@pytest.mark.parametrize(
    "overrides", [["class_weights={0: 1, no: 2.5}"], ["class_weights.0=1", "class_weights.no=2.5"]]
)
def test_weights_in_a_recipe_are_numbers_by_the_labels_name(overrides: list[str], tmp_path: Path) -> None:
    file = tiny.recipe(tmp_path / "r.yaml", NAME, tmp_path, tmp_path)
    options: Any = load_recipe(file, [f"task.{override}" for override in overrides]).task.options
    assert options.class_weights == {"0": 1.0, "no": 2.5}


def test_the_resolved_recipe_with_weights_is_a_recipe(tmp_path: Path) -> None:
    file = tiny.recipe(tmp_path / "r.yaml", NAME, tmp_path, tmp_path)
    recipe = load_recipe(file, ["task.class_weights={no: 2.5}"])
    (tmp_path / "again.yaml").write_text(recipe.to_yaml())
    assert load_recipe(tmp_path / "again.yaml") == recipe


def test_predict_says_how_it_is_told_of_a_column(checkpoint: Callable[..., Path], tmp_path: Path) -> None:
    task = make_task(NAME, checkpoint("bert"), ["bad", "good"])
    task.given = ["text", "pair"]
    file = tiny.write_jsonl(tmp_path / "rows.jsonl", [{"text": "good"}])
    with pytest.raises(InputError, match="--column pair=COLUMN"):
        list(stream(str(file), task))
