"""Question answering: windows that show the answer, the best spans of all of them, and when there is none."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import tiny, tiny_models
from tests.building import make_task, taught_windows
from tests.test_models import loaded
from tunekit import tasks, workflow
from tunekit.data.batches import collate, pad_token_of
from tunekit.data.windows import encode
from tunekit.evaluation import evaluate, predict
from tunekit.metrics import best_threshold
from tunekit.models.finetuned import load_task, load_weights
from tunekit.run import Run
from tunekit.tasks._spans import best_spans
from tunekit.tasks.base import Task, Window

NAME = "question-answering"
FAMILIES = tiny.able(NAME)
LONG = " ".join(["the film was not fine and"] * 6 + ["Bob went to Rome"] + ["the cast was dull"] * 6)
Make = Callable[..., Path]


def row(context: str, answer: str | None, question: str = "Bob went to") -> dict[str, Any]:
    """A row whose answer is where the context first has it."""
    texts = [] if answer is None else [answer]
    answers = {"text": texts, "answer_start": [context.index(text) for text in texts]}
    return {"id": 0, "question": question, "context": context, "answers": answers}


def read(path: Path) -> list[Any]:
    """The objects of a file of JSON lines."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def taught(context: str, window: Window) -> str:
    """What a window is taught to answer; nothing where it is the null position."""
    start, end = int(window.inputs["start_positions"]), int(window.inputs["end_positions"])
    if start == int(window.inputs["null_position"]):
        return ""
    offsets = window.notes["offsets"]
    return context[offsets[start][0] : offsets[end][1]].strip()


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("answer", ["Rome", "Bob went", "to Rome"])
def test_each_window_is_taught_the_answer_or_the_null_position(
    family: str, answer: str, checkpoint: Make
) -> None:
    task = make_task(NAME, checkpoint(family), [], max_length=32)
    windows = taught_windows(task, row(LONG, answer))
    assert len(windows) > 2
    assert {taught(LONG, window) for window in windows} == {"", answer}


@pytest.mark.parametrize("family", FAMILIES)
def test_windows_overlap_show_the_whole_context_and_are_no_longer_than_asked(
    family: str, checkpoint: Make
) -> None:
    task = make_task(NAME, checkpoint(family), [], max_length=32, stride=6)
    encoded = encode(task, [row(LONG, "Rome")], targets=False)
    shown = [window.notes["shown"] for window in encoded.windows]
    assert shown[0][0] == 0 and shown[-1][1] == len(LONG)
    assert all(after[0] < before[1] for before, after in zip(shown, shown[1:], strict=False))
    assert encoded.lengths.max() <= 32


@pytest.mark.parametrize("family", FAMILIES)
def test_a_question_takes_at_most_half_of_a_window_and_its_cut_is_counted(
    family: str, checkpoint: Make
) -> None:
    task = make_task(NAME, checkpoint(family), [], max_length=32)
    rows = [row(LONG, "Rome"), row(LONG, "Rome", question="and the film was dull " * 20)]
    encoded = encode(task, rows, targets=True)
    most = max(int(np.argmax(window.inputs["context_mask"])) for window in encoded.windows)
    assert 8 < most <= 32 // 2 + 3  # with what stands around the question
    assert encoded.cut == 1


@pytest.mark.parametrize("family", FAMILIES)
def test_something_parts_question_and_context(family: str, checkpoint: Make) -> None:
    task = make_task(NAME, checkpoint(family), [])
    (window,) = task.encode(row("Paris", "Paris", question="Ada"))
    place = int(np.argmax(window.inputs["context_mask"]))
    between = task.processor.decode(window.inputs["input_ids"][place - 1])
    assert between == "\n" or between in task.processor.all_special_tokens


def test_questions_on_one_context_are_one_unit_for_intervals() -> None:
    kind = tasks.find(NAME)
    task = kind(kind.Options(), None)
    first, again, other = row("Bob went to Rome", "Rome"), row("Bob went to Rome", "Bob"), row("Bob", "Bob")
    assert task.unit(first) == task.unit(again) != task.unit(other)


def test_an_answer_that_no_window_shows_whole_is_counted(checkpoint: Make) -> None:
    task = make_task(NAME, checkpoint("bert"), [], max_length=16, stride=0)
    rows = [row(LONG, LONG[:120]), row(LONG, "Rome")]
    assert encode(task, rows, targets=True).lost == 1


def test_a_question_without_an_answer_is_taught_the_null_position_and_not_counted(checkpoint: Make) -> None:
    task = make_task(NAME, checkpoint("bert"), [], allow_no_answer=True)
    (window,) = taught_windows(task, row("Ada went to Paris", None))
    assert taught("Ada went to Paris", window) == ""
    assert not window.lost


@pytest.mark.parametrize("family", FAMILIES)
def test_the_null_position_is_the_cls_token_or_else_the_first(family: str, checkpoint: Make) -> None:
    task = make_task(NAME, checkpoint(family), [])
    (window,) = task.encode(row("Ada went to Paris", None))
    null = window.inputs["null_position"]
    assert null == 0
    cls = task.processor.cls_token_id
    assert window.inputs["input_ids"][null] == cls or cls not in window.inputs["input_ids"]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_loss_does_not_change_with_padding(family: str, checkpoint: Make) -> None:
    import torch

    folder = checkpoint(family, dropout=False) if family in tiny_models.NO_DROPOUT else checkpoint(family)
    task = make_task(NAME, folder, [])
    model = loaded(folder, task).eval()
    rows = [row("Bob went to Rome", "Rome"), row(LONG[:90] + " Bob went to Rome", "Rome")]
    windows = list(encode(task, rows, targets=True).windows)
    with torch.inference_mode():
        pad = pad_token_of(task.processor)
        together = task.loss(model, collate(windows, pad))
        alone = [task.loss(model, collate([window], pad)) for window in windows]
    assert float(together) == pytest.approx(float(sum(alone)) / 2, abs=1e-5)


def test_the_loss_is_the_cross_entropy_over_places_where_an_answer_can_be(checkpoint: Make) -> None:
    import torch

    task = make_task(NAME, checkpoint("bert"), [])
    model = loaded(checkpoint("bert"), task).eval()
    (window,) = encode(task, [row("Bob went to Rome", "went to")], targets=True).windows
    with torch.inference_mode():
        got = task.loss(model, collate([window], 0))
        ids = {key: torch.tensor(window.inputs[key])[None].long() for key in ("input_ids", "token_type_ids")}
        outputs = model(**ids)
    context = [i for i, inside in enumerate(window.inputs["context_mask"]) if inside]
    able = [0, *context]
    wanted = 0.0
    for logits, place in ((outputs.start_logits[0], context[1]), (outputs.end_logits[0], context[2])):
        wanted -= float(torch.log_softmax(logits[able], 0)[able.index(place)]) / 2
    assert float(got) == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize("seed", range(4))
def test_the_best_spans_are_those_of_a_search_through_all_pairs(seed: int) -> None:
    import torch

    random = np.random.default_rng(seed)
    start, end = random.normal(size=(2, 3, 11))
    inside = random.random((3, 11)) < 0.7
    found = best_spans(*map(torch.tensor, (start, end, inside)), longest=4)
    for number in range(3):
        wanted = {
            (i, j): start[number, i] + end[number, j]
            for i in range(11)
            for j in range(i, min(i + 4, 11))
            if inside[number, i] and inside[number, j]
        }
        ranked = sorted(wanted.items(), key=lambda item: -item[1])[:20]
        pairs = list(zip(found["start"][number].tolist(), found["end"][number].tolist(), strict=True))
        assert pairs[: len(ranked)] == [pair for pair, _ in ranked]
        assert found["score"][number][: len(ranked)].tolist() == pytest.approx([s for _, s in ranked])
        assert float(found["total"][number]) == pytest.approx(np.log(np.exp([*wanted.values()]).sum()))


def answered(task: Task, context: str, *scored: tuple[str, float], null: float = -9.0) -> Any:
    """The answer where every window gives some spans of the context these scores."""
    windows = list(task.encode(row(context, None)))
    for window in windows:
        offsets, inside = window.notes["offsets"], np.array(window.inputs["context_mask"], bool)
        spans = []
        for text, score in scored:
            begin = context.index(text)
            start = np.flatnonzero(inside & (offsets[:, 0] == begin))
            end = np.flatnonzero(inside & (offsets[:, 1] == begin + len(text)))
            if len(start) and len(end):
                spans.append((score, start[0], end[-1]))
        columns = np.array(spans).reshape(-1, 3).T
        total = np.logaddexp.reduce(columns[0]) if spans else -np.inf
        window.outputs = {"score": columns[0], "total": total, "null": np.float64(null)}
        window.outputs |= {"start": columns[1].astype(int), "end": columns[2].astype(int)}
    return task.decode(row(context, None), windows)


def test_the_answer_is_the_best_span_of_all_windows(checkpoint: Make) -> None:
    task = make_task(NAME, checkpoint("bert"), [], max_length=16)
    answer = answered(task, LONG, ("film", 1.0), ("Rome", 3.0), ("cast", 2.0))
    start = LONG.index("Rome")
    assert (answer["answer"], answer["start"], answer["end"]) == ("Rome", start, start + 4)
    assert [each["answer"] for each in answer["n_best"]] == ["Rome", "cast", "film"]


def test_a_span_that_several_windows_show_is_listed_once(checkpoint: Make) -> None:
    task = make_task(NAME, checkpoint("bert"), [], max_length=16, n_best=5)
    answer = answered(task, LONG, ("Bob went", 1.0), ("Rome", 3.0))
    assert [each["answer"] for each in answer["n_best"]] == ["Rome", "Bob went"]


def test_scores_are_probabilities_among_all_spans(checkpoint: Make) -> None:
    task = make_task(NAME, checkpoint("bert"), [])
    answer = answered(task, "Ada went to Paris", ("Ada", 1.0), ("Paris", 1.0), ("went to", 1.0 + np.log(2)))
    assert [each["score"] for each in answer["n_best"]] == [0.5, 0.25, 0.25]


def test_without_no_answer_the_best_span_wins_whatever_the_null_score(checkpoint: Make) -> None:
    task = make_task(NAME, checkpoint("bert"), [])
    answer = task.decide(answered(task, "Ada went to Paris", ("Paris", 1.0), null=50.0))
    assert answer["answer"] == "Paris"
    assert answer["score"] == 1.0
    assert "no_answer_score" not in answer


@pytest.mark.parametrize(("threshold", "answer"), [(2.5, "Paris"), (1.5, "")])
def test_no_answer_is_given_where_its_score_is_above_the_threshold(
    threshold: float, answer: str, checkpoint: Make
) -> None:
    task = make_task(NAME, checkpoint("bert"), [], allow_no_answer=True)
    task.decision = {"no_answer_threshold": threshold}
    decided = task.decide(answered(task, "Ada went to Paris", ("Paris", 1.0), null=3.0))
    assert decided["answer"] == answer
    assert decided["no_answer_score"] == 2.0
    assert (decided["start"], decided["end"]) == ((12, 17) if answer else (None, None))


def test_the_probability_of_no_answer_is_its_score(checkpoint: Make) -> None:
    task = make_task(NAME, checkpoint("bert"), [], allow_no_answer=True)
    decided = task.decide(answered(task, "Ada went to Paris", ("Paris", 0.0), null=np.log(3)))
    assert decided["score"] == 0.75
    assert decided["n_best"] == [{"answer": "Paris", "start": 12, "end": 17, "score": 0.25}]


def test_a_context_that_the_tokenizer_drops_is_answered_with_nothing(checkpoint: Make) -> None:
    task = make_task(NAME, checkpoint("bert"), [])
    model = loaded(checkpoint("bert"), task).eval()
    (answer,) = predict(task, model, [{"question": "Ada", "context": "\u200b"}])
    assert answer == {"answer": "", "start": None, "end": None, "score": 0.0, "n_best": []}


def scripts_threshold(scores: Sequence[float], gains: Sequence[float]) -> tuple[float, float]:
    """`find_best_thresh` of the evaluation script of SQuAD 2.0: the best sum of gains, and where it stops."""
    best, current, threshold = 0.0, 0.0, min(scores) - 1
    for score, gain in sorted(zip(scores, gains, strict=True)):
        current += gain
        if current > best:
            best, threshold = current, score
    return best, threshold


@pytest.mark.parametrize("seed", range(10))
def test_the_threshold_is_that_of_squads_script(seed: int) -> None:
    random = np.random.default_rng(seed)
    scores = random.normal(size=30)
    gains = np.where(random.random(30) < 0.4, -1.0, random.random(30))
    threshold = best_threshold(scores.tolist(), gains.tolist())
    best, at = scripts_threshold(scores.tolist(), gains.tolist())
    assert gains[scores <= threshold].sum() == pytest.approx(best)
    assert (scores <= threshold).tolist() == (scores <= at).tolist()


@pytest.mark.parametrize(("gains", "answers"), [([0.5, 1.0], 2), ([-1.0, -1.0], 0), ([1.0, -1.0], 1)])
def test_the_threshold_may_let_all_answer_or_none(gains: list[float], answers: int) -> None:
    threshold = best_threshold([-1.0, 3.0], gains)
    assert sum(score <= threshold for score in (-1.0, 3.0)) == answers


def test_equal_scores_are_not_parted_by_a_threshold() -> None:
    assert best_threshold([1.0, 1.0, 2.0], [1.0, -3.0, 1.0]) < 1.0


def test_a_head_for_three_classes_becomes_one_for_starts_and_ends(checkpoint: Make, tmp_path: Path) -> None:
    classify = make_task("text-classification", checkpoint("bert"), ["a", "b", "c"])
    folder = tiny_models.save(tmp_path / "c", loaded(checkpoint("bert"), classify), classify.processor)
    assert loaded(folder, make_task(NAME, folder, [])).qa_outputs.out_features == 2


OWN = """
import datasets, evaluate

class Length(evaluate.Metric):
    def _info(self):
        text = datasets.Value("string")
        features = datasets.Features({"predictions": text, "references": datasets.Sequence(text)})
        return evaluate.MetricInfo(description="", citation="", features=features)

    def _compute(self, predictions, references):
        return {"empty": sum(not text for text in predictions) / len(predictions)}
"""


@pytest.fixture(scope="module")
def unanswerable(checkpoint: Make, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run on questions of which every third has no answer, in contexts of several windows."""
    folder = tmp_path_factory.mktemp("unanswerable")
    for split, start in (("train", 0), ("validation", 48), ("test", 60)):
        rows = tiny.questions(48 if split == "train" else 12, start=start)
        for number, each in enumerate(rows):
            if number % 3 == 0:
                each["context"] = each["context"].replace("Paris", "bad").replace("Rome", "bad")
                each["answers"] = {"text": [], "answer_start": []}
        tiny.write_jsonl(folder / "data" / f"{split}.jsonl", rows)
    file = tiny.recipe(
        folder / "qa.yaml", NAME, checkpoint("distilbert", dropout=False), folder / "data", epochs=15
    )
    (folder / "own.py").write_text(OWN)
    metrics = f"metrics=[has_answer_f1, no_answer_accuracy, {folder / 'own.py'}]"
    options = ("task.allow_no_answer=true", "task.max_length=20", metrics)
    return workflow.finetune(file, *options, output=folder / "run")


def test_questions_without_an_answer_are_learned(unanswerable: Run) -> None:
    assert unanswerable.metrics()["test"]["f1"]["value"] >= 0.9


def test_questions_with_and_without_an_answer_are_judged_apart_on_request(unanswerable: Run) -> None:
    scores = unanswerable.metrics()["test"]
    right = 8 * scores["has_answer_f1"]["value"] + 4 * scores["no_answer_accuracy"]["value"]
    assert right / 12 == pytest.approx(scores["f1"]["value"])


def test_a_metric_of_the_users_own_gets_answers_as_texts(unanswerable: Run) -> None:
    lines = read(unanswerable.path / "predictions" / "test.jsonl")
    empty = sum(not line["prediction"]["answer"] for line in lines)
    assert unanswerable.metrics()["test"]["empty"]["value"] == empty / 12


def test_a_baseline_answers_nothing(unanswerable: Run) -> None:
    lines = read(unanswerable.path / "predictions" / "test.jsonl")
    empty = sum(not line["reference"] for line in lines)
    assert empty == 4
    assert unanswerable.metrics()["test"]["empty_f1"]["value"] == pytest.approx(4 / 12)


def test_the_threshold_is_stored_with_the_model_and_used(unanswerable: Run) -> None:
    import math

    _, task = load_task(unanswerable.model)
    model = load_weights(unanswerable.model, task)
    given = {key: tiny.questions(1)[0][key] for key in ("question", "context")}
    assert math.isfinite(task.decision["no_answer_threshold"])
    assert predict(task, model, [given])[0]["answer"] == "Paris"
    task.decision = {"no_answer_threshold": -1e9}
    assert predict(task, model, [given])[0]["answer"] == ""


def test_answers_to_long_contexts_are_those_of_the_evaluation(unanswerable: Run) -> None:
    lines = read(unanswerable.path / "predictions" / "test.jsonl")
    data = unanswerable.path.parent / "data" / "test.jsonl"
    predicted = list(workflow.predict(unanswerable.path, str(data)))
    _, task = load_task(unanswerable.model)
    rows = read(data)
    assert len(encode(task, rows, targets=False).windows) > len(rows)
    assert [each["prediction"]["answer"] for each in predicted] == [
        each["prediction"]["answer"] for each in lines
    ]
    assert [each["id"] for each in predicted] == [each["id"] for each in lines]


def test_answers_are_cut_from_the_context(unanswerable: Run) -> None:
    _, task = load_task(unanswerable.model)
    rows = [row(LONG, "Rome") | {"id": number} for number in range(2)]
    for each in evaluate(task, load_weights(unanswerable.model, task), rows).predictions:
        for found in each["prediction"]["n_best"]:
            assert found["answer"] == LONG[found["start"] : found["end"]]


PLAIN = """
import json, sys, torch, transformers
folder, rows = sys.argv[1], json.loads(sys.argv[2])
tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
model = transformers.AutoModelForQuestionAnswering.from_pretrained(folder).eval()
answers = []
for question, context in rows:
    encoded = tokenizer(question, context, return_tensors="pt", return_offsets_mapping=True)
    offsets, parts = encoded.pop("offset_mapping")[0].tolist(), encoded.sequence_ids(0)
    with torch.no_grad():
        outputs = model(**encoded)
    score, i, j = max(
        (float(outputs.start_logits[0, i] + outputs.end_logits[0, j]), i, j)
        for i in range(len(parts)) for j in range(i, len(parts)) if parts[i] == parts[j] == 1
    )
    answers.append(context[offsets[i][0]:offsets[j][1]].strip())
assert "tunekit" not in sys.modules
print(json.dumps(answers))
"""


@pytest.mark.slow
def test_plain_transformers_in_a_fresh_process_gives_the_same_answers(unanswerable: Run) -> None:
    _, task = load_task(unanswerable.model)
    rows = [
        {key: each[key] for key in ("question", "context")} for each in tiny.questions(12) if each["context"]
    ]
    rows = [each for each in rows if len(list(task.encode(each))) == 1]
    task.decision = {"no_answer_threshold": 1e9}
    wanted = [each["answer"] for each in predict(task, load_weights(unanswerable.model, task), rows)]
    pairs = json.dumps([[each["question"], each["context"]] for each in rows])
    done = subprocess.run(
        [sys.executable, "-c", PLAIN, str(unanswerable.model), pairs],
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(rows) > 2
    assert json.loads(done.stdout) == wanted


def test_a_report_parts_questions_by_the_words_of_their_answer() -> None:
    kind = tasks.find("question-answering")
    task = kind(kind.Options(), None)
    answers = [["one"], ["two words"], ["four words at least"], ["nine " * 9], []]
    found = [task.groups({}, right).get("words of the answer") for right in answers]
    assert found == ["1 word", "2 to 3 words", "4 to 8 words", "9 words or more", None]
