"""The parts of a report, against reference packages and by hand."""

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tunekit import tasks
from tunekit.report import calibration, groups, labels, suspects
from tunekit.report.figures import COLOURS, figure
from tunekit.report.marks import compared, pieces
from tunekit.report.subject import Line, Scored
from tunekit.tasks._shown import Mark
from tunekit.tasks.base import Task

LABELS = ["cat", "dog", "owl", "fox"]


def make_task(name: str, known: Sequence[str], **options: Any) -> Task:
    """A task without a processor."""
    kind = tasks.find(name)
    return kind(kind.Options(**options), None, known)


def scored(task: Task, answers: Sequence[Any], references: Sequence[Any], **example: Any) -> Scored:
    """A split of answers."""
    statistics = task.statistics(answers, references)
    rows = zip(answers, references, statistics, strict=True)
    return Scored(
        "test",
        task,
        [Line(str(n), example, a, task.comparable(a), r, s, n, None) for n, (a, r, s) in enumerate(rows)],
    )


def of_labels(chances: Any, right: Sequence[int]) -> Scored:
    """Answers of one label each, by the probabilities of all."""
    answers = [
        {"label": LABELS[int(row.argmax())], "probabilities": dict(zip(LABELS, row.tolist(), strict=True))}
        for row in chances
    ]
    return scored(make_task("text-classification", LABELS), answers, [LABELS[i] for i in right])


@pytest.fixture(scope="module")
def drawn() -> tuple[Any, Any]:
    """Probabilities, and labels that are drawn by them."""
    random = np.random.default_rng(0)
    chances = random.dirichlet([0.6] * len(LABELS), 600)
    right = (chances.cumsum(1) > random.random((600, 1))).argmax(1)
    return chances, right


def test_the_bins_of_the_calibration_curve_are_those_of_scikit_learn(drawn: tuple[Any, Any]) -> None:
    from sklearn.calibration import calibration_curve

    chances, right = drawn
    said, hit = chances.max(1), (chances.argmax(1) == right) * 1.0
    order = np.argsort(said)
    bins = calibration.edges(len(said))
    true, given = calibration_curve(hit, said, n_bins=15, strategy="quantile")
    assert calibration.bin_means(hit[order], bins) == pytest.approx(true, abs=0.03)
    assert calibration.bin_means(said[order], bins) == pytest.approx(given, abs=0.01)


def test_the_calibration_error_is_the_mean_gap_by_hand() -> None:
    said = np.array([0.2, 0.4, 0.6, 0.8])
    right = np.array([0.0, 1.0, 1.0, 1.0])
    bins = np.array([0, 2, 4])
    assert calibration.expected_error(said, right, bins) == pytest.approx((0.2 + 0.3) / 2)


def test_answers_that_are_right_as_often_as_they_say_show_no_error_but_chance(
    drawn: tuple[Any, Any],
) -> None:
    found = calibration.calibration(of_labels(*drawn))
    assert found is not None
    assert found.error == pytest.approx(found.chance, rel=0.5)


def test_the_confusion_matrix_is_that_of_scikit_learn(drawn: tuple[Any, Any]) -> None:
    from sklearn.metrics import confusion_matrix

    chances, right = drawn
    split = of_labels(*drawn)
    found = labels.confusion(SimpleNamespace(task=split.task), split)  # type: ignore[arg-type]
    assert found is not None
    order = [LABELS.index(label) for label in found.labels]
    wanted = confusion_matrix(right, chances.argmax(1))[np.ix_(order, order)]
    assert [[cell["count"] for cell in row] for row in found.cells] == wanted.tolist()


def test_labels_that_are_taken_for_each_other_stand_side_by_side() -> None:
    counts = np.array([[90, 0, 10, 0], [0, 80, 0, 20], [15, 0, 85, 0], [0, 30, 0, 70]])
    order, _ = labels.ordered(LABELS, counts)
    assert abs(order.index(0) - order.index(2)) == abs(order.index(1) - order.index(3)) == 1


def test_numbers_stay_in_their_order() -> None:
    order, _ = labels.ordered(["1", "2", "3", "4"], np.eye(4, dtype=np.int64)[::-1])
    assert order == [0, 1, 2, 3]


def test_of_many_labels_those_that_are_confused_most_have_a_place_in_the_matrix() -> None:
    known = [f"l{i}" for i in range(60)]
    pairs = {(name, name): 5 for name in known} | {("l50", "l51"): 9, ("l51", "l50"): 9}
    shown, counts = labels.gathered(known, pairs)
    assert len(shown) == labels.MOST and {"l50", "l51", labels.OTHERS} <= set(shown)
    assert counts.sum() == sum(pairs.values())


def test_the_table_of_labels_is_that_of_scikit_learn(drawn: tuple[Any, Any]) -> None:
    from sklearn.metrics import precision_recall_fscore_support

    chances, right = drawn
    table = labels.label_table(of_labels(*drawn))
    assert table is not None
    wanted = np.stack(precision_recall_fscore_support(right, chances.argmax(1)), axis=1)
    for row in table["rows"]:
        mine = [row["precision"], row["recall"], row["f1"], row["n"]]
        assert mine == pytest.approx(wanted[LABELS.index(row["label"])].tolist())
        assert row["low"] <= row["f1"] <= row["high"]


def planted(right: Any, random: Any, share: float = 0.05) -> tuple[Any, set[int]]:
    """Labels of which a share is wrong, and which."""
    wrong = random.choice(len(right), round(share * len(right)), replace=False)
    changed = right.copy()
    changed[wrong] = (changed[wrong] + 1) % len(LABELS)
    return changed, set(wrong.tolist())


def sure_of(right: Any, random: Any) -> Any:
    """Probabilities of a model that mostly knows."""
    noise = random.random((len(right), len(LABELS)))
    noise[np.arange(len(right)), right] += 4
    return noise / noise.sum(1, keepdims=True)


def test_planted_wrong_labels_come_first() -> None:
    random = np.random.default_rng(1)
    right = random.integers(0, len(LABELS), 400)
    given, wrong = planted(right, random)
    found = suspects.suspects(of_labels(sure_of(right, random), given))
    assert {each.number for each in found[: len(wrong)]} == wrong


def test_a_label_that_no_row_has_is_no_obstacle() -> None:
    random = np.random.default_rng(2)
    right = random.integers(0, 2, 200)
    given = right.copy()
    given[:5] = 1 - given[:5]
    found = suspects.suspects(of_labels(sure_of(right, random), given))
    assert found and {each.number for each in found} <= set(range(5))


def test_planted_wrong_tags_come_first() -> None:
    random = np.random.default_rng(3)
    tags = ["O", "B-PER", "B-LOC", "I-PER", "I-LOC"]
    task = make_task("token-classification", tags)
    right = [[tags[random.integers(0, 3)] for _ in range(8)] for _ in range(40)]
    words = [f"w{i}" for i in range(8)]
    answers = [{"words": words, "tags": list(row), "scores": [0.9] * 8, "entities": []} for row in right]
    wrong = {(3, 2), (11, 5), (30, 0)}
    for row, word in wrong:
        right[row][word] = "O" if right[row][word] != "O" else "B-PER"
    found = suspects.suspects(scored(task, answers, right, words=words))
    assert {(each.number, each.word) for each in found[:3]} == wrong


def test_planted_wrong_sets_come_first() -> None:
    random = np.random.default_rng(4)
    task = make_task("text-classification", LABELS, kind="multi-label")
    wanted = random.random((200, len(LABELS))) < 0.4
    chances = np.clip(wanted * 0.8 + random.random(wanted.shape) * 0.2, 0, 1)
    answers = [
        task.decide({"probabilities": dict(zip(LABELS, row.tolist(), strict=True))}) for row in chances
    ]
    wanted[[7, 70]] = ~wanted[[7, 70]]
    references = [[name for name, there in zip(LABELS, row, strict=True) if there] for row in wanted]
    found = suspects.suspects(scored(task, answers, references))
    assert {each.number for each in found[:2]} == {7, 70}


def test_answers_without_probabilities_accuse_no_label() -> None:
    task = make_task("summarization", [])
    answers = [{"summary": "a film", "cut": False}] * 60
    assert suspects.suspects(scored(task, answers, [["a film"]] * 60, document="a film")) == []


def told(text: str, marks: Mapping[tuple[int, int], str]) -> str:
    """The text of marked pieces."""
    return "".join(p.text for p in pieces(text, [(Mark("", *place), kind) for place, kind in marks.items()]))


def test_a_short_text_is_shown_whole_around_its_marks() -> None:
    assert told("Ada went to Paris", {(0, 3): "right", (12, 17): "missed"}) == "Ada went to Paris"


def test_of_a_long_text_what_stands_around_its_marks_is_shown() -> None:
    text = "x" * 3000 + "Paris" + "y" * 3000
    shown = told(text, {(3000, 3005): "missed"})
    assert "Paris" in shown and len(shown) < 400


def test_marks_of_both_sides_are_told_from_those_of_one() -> None:
    same, missed, invented = (
        Mark("words", 0, 3, "PER"),
        Mark("words", 5, 8, "LOC"),
        Mark("words", 5, 9, "LOC"),
    )
    wanted, found = compared([same, missed], [same, invented])
    assert [kind for _, kind in wanted] == ["right", "missed"]
    assert [kind for _, kind in found] == ["right", "wrong"]


def test_a_figure_has_the_colours_of_the_page_and_is_the_same_each_time() -> None:
    def draw(axes: Any) -> None:
        axes.plot([0, 1], [0, 1], color="#070809")
        axes.set(title="a <b> $x$")

    one, other = (figure("f", "<title>", draw) for _ in range(2))
    assert one == other
    assert "var(--blue)" in one and "currentColor" in one
    assert not any(colour in one for colour in COLOURS)
    assert "a &lt;b&gt; $x$" in one and "&lt;title&gt;" in one


def test_of_very_many_rows_labels_and_groups_are_told_without_intervals(
    drawn: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labels, "RESAMPLED", 10)
    monkeypatch.setattr(groups, "RESAMPLED", 10)
    split = of_labels(*drawn)
    whole = groups.score_of(split, split.lines, "accuracy")
    right = (drawn[0].argmax(1) == drawn[1]).mean()
    assert (whole["value"], whole["low"]) == (pytest.approx(right), None)
    table = labels.label_table(split)
    assert table is not None and table["rows"][0]["low"] is None
