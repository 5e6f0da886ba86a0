"""Every metric against its reference package, on random answers and on hand-computed ones."""

import warnings

import numpy as np
import pytest
import scipy.stats
import seqeval.metrics
import sklearn.metrics
from sklearn.preprocessing import MultiLabelBinarizer

from tunekit import stats
from tunekit.evaluation import metric
from tunekit.metrics import labels, numbers, spans, tagging

LABELS = ["negative", "neutral", "positive", "rare"]
TAGS = ["O", "O", "O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-ORG"]


def random_labels(seed: int, count: int = 300) -> tuple[list[str], list[str]]:
    """Predictions and references that agree in about half of all cases; some labels are on one side only."""
    random = np.random.default_rng(seed)
    references = random.choice(LABELS[: 2 + seed % 2], count)
    predictions = np.where(random.random(count) < 0.5, references, random.choice(LABELS, count))
    return predictions.tolist(), references.tolist()


def random_tags(seed: int, sentences: int = 60) -> tuple[list[list[str]], list[list[str]]]:
    """Tags of sentences, in any order: also entities that begin with I-."""
    random = np.random.default_rng(seed)
    lengths = random.integers(1, 15, sentences)
    references = [random.choice(TAGS, n).tolist() for n in lengths]
    predictions = [
        [t if random.random() < 0.6 else str(random.choice(TAGS)) for t in row] for row in references
    ]
    return predictions, references


@pytest.mark.parametrize("seed", range(6))
def test_classification_metrics_equal_scikit_learns(seed: int) -> None:
    predictions, references = random_labels(seed)
    got = metric("classification").compute(predictions=predictions, references=references)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns of labels that are only predicted
        average = {
            f"{kind}_{name}": score(references, predictions, average=kind, zero_division=0)
            for kind, name, score in [
                ("macro", "f1", sklearn.metrics.f1_score),
                ("macro", "precision", sklearn.metrics.precision_score),
                ("macro", "recall", sklearn.metrics.recall_score),
                ("weighted", "f1", sklearn.metrics.f1_score),
            ]
        }
        wanted = average | {
            "accuracy": sklearn.metrics.accuracy_score(references, predictions),
            "mcc": sklearn.metrics.matthews_corrcoef(references, predictions),
            "balanced_accuracy": sklearn.metrics.balanced_accuracy_score(references, predictions),
        }
    assert got == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_entity_metrics_equal_seqevals(seed: int) -> None:
    predictions, references = random_tags(seed)
    got = metric("entities").compute(predictions=predictions, references=references)
    wanted = {
        "f1": seqeval.metrics.f1_score(references, predictions),
        "precision": seqeval.metrics.precision_score(references, predictions),
        "recall": seqeval.metrics.recall_score(references, predictions),
        "accuracy": seqeval.metrics.accuracy_score(references, predictions),
        "macro_f1": seqeval.metrics.f1_score(references, predictions, average="macro"),
    }
    assert got == pytest.approx(wanted, abs=1e-12)


WORDS = ["the", "a", "an", "Paris", "paris", "in", "Rome,", "(1900)", "Ada", "U.S.", "--", "Zoë"]


def random_texts(seed: int, count: int = 200) -> tuple[list[str], list[list[str]]]:
    """Answers and one to three right ones, some of which have no word that counts."""
    random = np.random.default_rng(seed)

    def text() -> str:
        return " ".join(random.choice(WORDS, random.integers(1, 5)))

    references = [[text() for _ in range(random.integers(1, 4))] for _ in range(count)]
    predictions = [str(random.choice(row)) if random.random() < 0.3 else text() for row in references]
    return predictions, references


@pytest.mark.parametrize("seed", range(4))
def test_squad_metrics_equal_torchmetrics(seed: int) -> None:
    from torchmetrics.functional.text import squad

    predictions, references = random_texts(seed)
    got = metric("squad").compute(predictions=predictions, references=references)
    wanted = squad(
        [{"prediction_text": text, "id": str(i)} for i, text in enumerate(predictions)],
        [
            {"answers": {"text": row, "answer_start": [0] * len(row)}, "id": str(i)}
            for i, row in enumerate(references)
        ],
    )
    assert got["exact"] == pytest.approx(float(wanted["exact_match"]) / 100, abs=1e-6)
    assert got["f1"] == pytest.approx(float(wanted["f1"]) / 100, abs=1e-6)


def test_squad_metrics_of_hand_computed_answers() -> None:
    cases = [
        ("The Paris!", ["Paris"], 1.0, 1.0),
        ("in Paris, France", ["Paris", "France"], 0.5, 0.0),
        ("Paris Paris", ["Paris"], 2 / 3, 0.0),
        ("London", ["Paris"], 0.0, 0.0),
        ("", ["Paris"], 0.0, 0.0),
        ("", [], 1.0, 1.0),
        ("Paris", [], 0.0, 0.0),
    ]
    for prediction, right, f1, exact in cases:
        counts = spans.score_span(prediction, right)
        assert (counts["f1"], counts["exact"]) == (pytest.approx(f1), exact)


def test_squad_metrics_tell_questions_with_an_answer_from_those_without() -> None:
    predictions = ["Paris", "", "Rome", "", "", "in Rome"]
    references = [["Paris"], ["Paris"], [], [], [], ["Rome"]]
    got = metric("squad").compute(predictions=predictions, references=references)
    assert got == pytest.approx(
        {
            "f1": (1 + 0 + 0 + 1 + 1 + 2 / 3) / 6,
            "exact": 3 / 6,
            "has_answer_f1": (1 + 0 + 2 / 3) / 3,
            "has_answer_exact": 1 / 3,
            "no_answer_accuracy": 2 / 3,
        }
    )


def test_word_metrics_equal_scikit_learns_over_all_words() -> None:
    predictions, references = random_tags(0)
    got = metric("words").compute(predictions=predictions, references=references)
    flat = [[tag for row in rows for tag in row] for rows in (references, predictions)]
    assert got["accuracy"] == pytest.approx(sklearn.metrics.accuracy_score(*flat))
    assert got["macro_f1"] == pytest.approx(sklearn.metrics.f1_score(*flat, average="macro"))


def random_sets(seed: int, count: int = 200) -> tuple[list[list[str]], list[list[str]]]:
    """Predicted and right sets of labels, both also empty."""
    random = np.random.default_rng(seed)
    references = random.random((count, len(LABELS))) < 0.3
    predictions = np.where(random.random(references.shape) < 0.7, references, ~references)
    sides = [[[LABELS[i] for i in np.flatnonzero(row)] for row in side] for side in (predictions, references)]
    return sides[0], sides[1]


@pytest.mark.parametrize("seed", range(4))
def test_multilabel_metrics_equal_scikit_learns(seed: int) -> None:
    predictions, references = random_sets(seed)
    got = metric("multilabel").compute(predictions=predictions, references=references)
    binarizer = MultiLabelBinarizer(classes=LABELS).fit([LABELS])
    sides = binarizer.transform(references), binarizer.transform(predictions)
    wanted = {
        "micro_f1": sklearn.metrics.f1_score(*sides, average="micro"),
        "macro_f1": sklearn.metrics.f1_score(*sides, average="macro"),
        "subset_accuracy": sklearn.metrics.accuracy_score(*sides),
        "sample_f1": sklearn.metrics.f1_score(*sides, average="samples", zero_division=1.0),
        "micro_precision": sklearn.metrics.precision_score(*sides, average="micro"),
        "micro_recall": sklearn.metrics.recall_score(*sides, average="micro"),
    }
    assert got == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("offset", [0.0, 1e6])
@pytest.mark.parametrize("seed", range(3))
def test_regression_metrics_equal_scipys_and_scikit_learns(seed: int, offset: float) -> None:
    random = np.random.default_rng(seed)
    references = random.normal(size=200).round(1) + offset  # with equals, which share a rank
    predictions = 0.5 * references + random.normal(size=200).round(1)
    got = metric("regression").compute(predictions=predictions.tolist(), references=references.tolist())
    wanted = {
        "pearson": scipy.stats.pearsonr(predictions, references).statistic,
        "spearman": scipy.stats.spearmanr(predictions, references).statistic,
        "mse": sklearn.metrics.mean_squared_error(references, predictions),
        "rmse": sklearn.metrics.root_mean_squared_error(references, predictions),
        "mae": sklearn.metrics.mean_absolute_error(references, predictions),
    }
    assert got == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("constant", [0.1, 1e6 + 0.1])
def test_a_constant_has_no_correlation(constant: float) -> None:
    got = metric("regression").compute(
        predictions=[constant] * 7, references=[1.0, 2.0, 3.5, 4.0, 1.1, 0.0, 9.0]
    )
    assert got["pearson"] == got["spearman"] == 0.0


def test_errors_are_better_when_lower() -> None:
    assert numbers.REGRESSION.better("rmse", 1.0, than=2.0)
    assert numbers.REGRESSION.better("pearson", 0.9, than=0.5)


def test_an_entity_with_a_wrong_end_is_both_invented_and_missed() -> None:
    counts = tagging.score_entities(["B-PER", "O"], ["B-PER", "I-PER"])
    assert counts == {"words": 2.0, "right_words": 1.0, "fp/PER": 1.0, "fn/PER": 1.0}


def test_sentences_without_entities_give_f1_zero_and_no_error() -> None:
    got = metric("entities").compute(predictions=[["O", "O"]], references=[["O", "O"]])
    assert got["f1"] == 0.0
    assert got["accuracy"] == 1.0


def test_a_single_label_on_both_sides_gives_mcc_zero() -> None:
    assert metric("classification").compute(predictions=["a", "a"], references=["a", "a"])["mcc"] == 0.0


def test_summaries_of_many_resamples_equal_summaries_of_each() -> None:
    predictions, references = random_labels(1)
    rows = [labels.score_label(p, r) for p, r in zip(predictions, references, strict=True)]
    names, matrix = stats.tabulate(rows)
    picks = np.random.default_rng(0).integers(0, len(rows), (5, len(rows)))
    together = labels.summarize_labels({n: matrix.toarray()[picks, i].sum(1) for i, n in enumerate(names)})
    for number, pick in enumerate(picks):
        alone = labels.summarize_labels(stats.totals([rows[i] for i in pick]))
        for name, value in alone.items():
            assert together[name][number] == pytest.approx(float(value))
