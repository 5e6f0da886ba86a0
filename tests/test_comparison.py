"""Two systems on the same examples: matched by id, tested as pairs, judged in words."""

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats
from safetensors.torch import load_file, save_file

import tunekit
from tests import tiny
from tunekit import workflow
from tunekit.cli import main
from tunekit.comparison import Comparison, compare_predictions
from tunekit.comparison.result import Difference
from tunekit.comparison.verdict import examples
from tunekit.console import as_json
from tunekit.errors import InputError
from tunekit.metrics import labels, rouge

LABELS = ("negative", "neutral", "positive")
Row = dict[str, Any]


def written(path: Path, rows: list[Row]) -> Path:
    """A file of predictions."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def labelled(count: int, right: float, seed: int, **more: Callable[[int], Any]) -> list[Row]:
    """Labels of which a share is right; what is right does not depend on the seed."""
    wanted, answers = random.Random(0), random.Random(seed)
    rows = []
    for number in range(count):
        label = wanted.choice(LABELS)
        wrong = answers.choice([other for other in LABELS if other != label])
        found = label if answers.random() < right else wrong
        columns = {name: make(number) for name, make in more.items()}
        rows.append({"id": f"r{number}", "prediction": found, "reference": label, **columns})
    return rows


def compared(folder: Path, *systems: list[Row], **options: Any) -> Comparison:
    """A comparison of rows, called a, b, c."""
    paths = [written(folder / f"{name}.jsonl", rows) for name, rows in zip("abc", systems, strict=False)]
    return compare_predictions(paths, list("abc"[: len(paths)]), **options)


def main_difference(found: Comparison) -> Difference:
    """The difference of the verdict."""
    return found.pairs[0].differences[0]


def test_a_better_system_is_called_better_with_its_interval(tmp_path: Path) -> None:
    found = compared(tmp_path, labelled(600, 0.75, 1), labelled(600, 0.9, 2))
    assert main_difference(found).better == "b"
    assert found.pairs[0].verdict.startswith("b is better by ")
    assert found.pairs[0].verdict.endswith("] on 600 examples")


def test_a_better_first_system_is_called_better_too(tmp_path: Path) -> None:
    found = compared(tmp_path, labelled(600, 0.9, 1), labelled(600, 0.75, 2))
    assert main_difference(found).better == "a"
    assert found.pairs[0].verdict.startswith("a is better by ")


def test_noise_is_not_distinguishable_and_says_how_many_examples_it_would_take(tmp_path: Path) -> None:
    found = compared(tmp_path, labelled(300, 0.8, 1), labelled(300, 0.8, 2))
    needed = main_difference(found).needed
    assert needed is not None and needed > 600
    assert found.pairs[0].verdict.startswith("not distinguishable on 300 examples")
    assert f"; {examples(needed, 300)} would be needed" in found.pairs[0].verdict


def test_numbers_of_examples_are_told_with_two_figures() -> None:
    assert examples(4217, 300) == "about 4,300 examples"


def test_a_copy_is_identical_and_nothing_is_tested(tmp_path: Path) -> None:
    rows = labelled(200, 0.8, 1)
    found = compared(tmp_path, rows, rows)
    assert found.pairs[0].identical
    assert found.pairs[0].verdict == "identical: the same answer to each of 200 examples"
    assert {each.p for each in found.pairs[0].differences} == {None}
    assert found.pairs[0].slices == found.pairs[0].lost == found.pairs[0].gained == ()


def test_other_answers_with_the_same_scores_are_not_identical(tmp_path: Path) -> None:
    rows = labelled(200, 0.8, 1)
    others = [
        {**row, "prediction": row["prediction"] if row["prediction"] == row["reference"] else "unsure"}
        for row in rows
    ]
    pair = compared(tmp_path, rows, others, metric="accuracy").pairs[0]
    assert not pair.identical
    assert pair.verdict.startswith("not distinguishable on 200 examples: accuracy is the same")


def test_rows_are_matched_by_id_and_not_by_place(tmp_path: Path) -> None:
    rows = labelled(100, 0.8, 1)
    assert compared(tmp_path, rows, rows[::-1]).pairs[0].identical


def test_other_references_are_refused_with_the_first_rows(tmp_path: Path) -> None:
    rows = labelled(50, 0.8, 1)
    others = [{**row, "reference": "negative"} for row in rows]
    first = next(row["id"] for row in rows if row["reference"] != "negative")
    with pytest.raises(InputError, match=f"other references for .* of 50 examples .*'{first}'"):
        compared(tmp_path, rows, others)


def test_shared_rows_are_compared_and_the_others_are_told(tmp_path: Path) -> None:
    found = compared(tmp_path, labelled(100, 0.8, 1), labelled(130, 0.8, 2)[20:])
    assert (found.pairs[0].n, found.pairs[0].left_out) == (80, (20, 30))
    assert found.notes == ("compared on the 80 examples that both have: 20 of a and 30 of b are left out",)


def test_no_shared_rows_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="share no example"):
        compared(tmp_path, labelled(20, 0.8, 1)[:10], labelled(20, 0.8, 1)[10:])


def test_the_difference_of_accuracies_has_mcnemars_test(tmp_path: Path) -> None:
    a, b = labelled(300, 0.8, 1), labelled(300, 0.8, 2)
    right = [[row["prediction"] == row["reference"] for row in rows] for rows in (a, b)]
    only_a, only_b = (sum(x and not y for x, y in zip(*sides, strict=True)) for sides in (right, right[::-1]))
    test = main_difference(compared(tmp_path, a, b)).mcnemar
    assert test is not None
    assert (test.only_a, test.only_b) == (only_a, only_b)
    statistic = (only_a - only_b) ** 2 / (only_a + only_b)
    assert test.p == pytest.approx(scipy.stats.chi2.sf(statistic, 1))


def test_the_bootstraps_p_value_is_near_mcnemars(tmp_path: Path) -> None:
    found = main_difference(compared(tmp_path, labelled(400, 0.8, 1), labelled(400, 0.84, 2)))
    assert found.mcnemar is not None
    assert found.p == pytest.approx(found.mcnemar.p, abs=0.02)


def test_examples_that_flipped_are_those_that_one_alone_has_right(tmp_path: Path) -> None:
    a, b = labelled(100, 0.8, 1), labelled(100, 0.8, 2)
    pair = compared(tmp_path, a, b).pairs[0]
    pairs = list(zip(a, b, strict=True))
    lost = {x["id"] for x, y in pairs if x["prediction"] == x["reference"] != y["prediction"]}
    gained = {x["id"] for x, y in pairs if y["prediction"] == x["reference"] != x["prediction"]}
    assert {flip.id for flip in pair.lost} == lost
    assert {flip.id for flip in pair.gained} == gained


def test_lower_errors_are_better(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    wanted = generator.normal(size=300)
    systems = [
        [
            {"id": n, "prediction": float(value + spread * noise), "reference": float(value)}
            for n, (value, noise) in enumerate(zip(wanted, generator.normal(size=300), strict=True))
        ]
        for spread in (0.8, 0.3)
    ]
    found = compared(tmp_path, *systems, metric="mae")
    assert main_difference(found).value < 0
    assert found.pairs[0].verdict.startswith("b is better by 0.3")


def test_several_systems_are_compared_with_the_first_and_corrected(tmp_path: Path) -> None:
    found = compared(tmp_path, *(labelled(300, right, seed) for seed, right in enumerate((0.7, 0.8, 0.75))))
    assert [(pair.a, pair.b) for pair in found.pairs] == [("a", "b"), ("a", "c")]
    low, high = sorted((pair.differences[0] for pair in found.pairs), key=lambda each: each.p or 0)
    assert low.p is not None and high.p is not None
    assert low.adjusted == pytest.approx(2 * low.p)
    assert high.adjusted == pytest.approx(max(high.p, 2 * low.p))


def test_a_slice_that_differs_is_found(tmp_path: Path) -> None:
    language = {"language": lambda n: ("en", "de", "fr")[n % 3]}
    a = labelled(900, 0.85, 1, **language)
    better, worse = labelled(900, 0.85, 2, **language), labelled(900, 0.4, 3, **language)
    b = [low if low["language"] == "fr" else high for high, low in zip(better, worse, strict=True)]
    found = [each for each in compared(tmp_path, a, b).pairs[0].slices if each.found]
    assert (found[0].kind, found[0].name) == ("language", "fr")
    assert found[0].value < -0.3
    assert not {"de", "en"} & {each.name for each in found}


def test_noise_is_shown_as_no_slice(tmp_path: Path) -> None:
    columns = {"x": lambda n: f"x{n % 7}", "y": lambda n: f"y{n * 5 % 11}"}
    for seed in range(3):
        sides = (labelled(300, 0.8, 2 * seed, **columns), labelled(300, 0.8, 2 * seed + 1, **columns))
        slices = compared(tmp_path, *sides).pairs[0].slices
        assert len(slices) > 15
        assert not any(each.found for each in slices)


def test_slices_by_length_are_four_of_even_size(tmp_path: Path) -> None:
    rows = [labelled(200, 0.8, seed, tokens=lambda n: n) for seed in (1, 2)]
    sizes = {each.name: each.n for each in compared(tmp_path, *rows).pairs[0].slices if each.kind == "length"}
    assert sizes == {
        "0 to 49 tokens": 50,
        "50 to 99 tokens": 50,
        "100 to 149 tokens": 50,
        "150 to 199 tokens": 50,
    }


def test_rows_of_which_a_part_was_cut_off_are_a_slice(tmp_path: Path) -> None:
    rows = [labelled(200, 0.8, seed, truncated=lambda n: n % 4 == 0) for seed in (1, 2)]
    sizes = {
        each.name: each.n for each in compared(tmp_path, *rows).pairs[0].slices if each.kind == "truncated"
    }
    assert sizes == {"cut off": 50, "whole": 150}


TAGS = ["B-PER", "O", "B-LOC", "O"]
BARE = {
    "classification": (labelled(40, 0.8, 1), "accuracy"),
    "entities": ([{"id": n, "prediction": TAGS, "reference": TAGS} for n in range(30)], "f1"),
    "multilabel": (
        [{"id": n, "prediction": ["a"], "reference": ["a", "b"][: n % 3]} for n in range(30)],
        "micro_f1",
    ),
    "squad": (
        [{"id": n, "prediction": f"Paris {n}", "reference": [f"Paris {n}"]} for n in range(30)],
        "f1",
    ),
    "rouge": (
        [{"id": n, "prediction": f"a {n}", "reference": f"{n} " * 15} for n in range(30)],
        "rougeL",
    ),
    "regression": ([{"id": n, "prediction": n + 0.5, "reference": n} for n in range(30)], "pearson"),
}


@pytest.mark.parametrize("form", BARE)
def test_the_metrics_of_a_bare_file_follow_from_its_form(form: str, tmp_path: Path) -> None:
    rows, metric = BARE[form]
    assert compared(tmp_path, rows, rows).metric == metric


def test_the_task_of_a_bare_file_can_be_named(tmp_path: Path) -> None:
    rows = [{"id": n, "prediction": f"{n}", "reference": f"{n}"} for n in range(30)]
    assert compared(tmp_path, rows, rows, task="summarization").metric == "rougeL"


def test_references_may_stand_in_one_file_alone(tmp_path: Path) -> None:
    rows = labelled(40, 0.8, 1)
    bare = [{"id": row["id"], "prediction": row["prediction"]} for row in rows]
    assert compared(tmp_path, rows, bare).pairs[0].identical


def test_a_file_without_ids_is_matched_by_its_lines(tmp_path: Path) -> None:
    rows = [{key: row[key] for key in ("prediction", "reference")} for row in labelled(40, 0.8, 1)]
    assert compared(tmp_path, rows, rows).pairs[0].identical


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("no json\n", "a.jsonl:1: no JSON object with a prediction"),
        ('{"id": 1, "prediction": "x"}\n{"id": 1, "prediction": "x"}\n', "a.jsonl:2: id 1 is there a second"),
        ("", "a.jsonl holds no predictions"),
        ('{"id": 1, "prediction": "x"}\n', "neither .* nor .* has a reference for id 1"),
        ('{"id": 1, "prediction": {"x": 1}, "reference": "y"}\n', "name its task with --task"),
        (
            '{"id": 1, "prediction": NaN, "reference": 1}\n',
            "a.jsonl:1: prediction holds a number that is not",
        ),
    ],
)
def test_a_damaged_file_is_refused_with_its_line(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(text)
    with pytest.raises(InputError, match=message):
        compare_predictions([tmp_path / "a.jsonl"] * 2, ["a", "b"])


def test_keys_of_another_tool_may_hold_anything(tmp_path: Path) -> None:
    rows = [row | {"tokens": ["a", "b"], "unit": ["x"]} for row in labelled(40, 0.8, 1)]
    assert main_difference(compared(tmp_path, rows, labelled(40, 0.6, 2))).units == 40


def test_separators_of_other_alphabets_end_no_line(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"id": 1, "prediction": "a\u2028b\u0085c", "reference": "a"}\n', encoding="utf-8")
    assert compare_predictions([file, file], ["a", "b"]).pairs[0].identical


def test_the_metric_of_the_verdict_comes_first_also_of_identical_systems(tmp_path: Path) -> None:
    rows = labelled(40, 0.8, 1)
    assert main_difference(compared(tmp_path, rows, rows, metric="mcc")).metric == "mcc"


def test_a_metric_that_is_not_shared_is_refused_with_those_that_are(tmp_path: Path) -> None:
    rows = labelled(40, 0.8, 1)
    with pytest.raises(InputError, match="'acuracy' is not shared; did you mean 'accuracy'.*macro_f1"):
        compared(tmp_path, rows, rows, metric="acuracy")


def test_questions_on_one_text_are_one_unit(tmp_path: Path) -> None:
    generator = random.Random(0)
    systems = [
        [
            {"id": n, "prediction": answer, "reference": ["Paris"], "unit": f"text {n // 5}"}
            for n, answer in enumerate(generator.choices(["Paris", "Rome"], k=200))
        ]
        for _ in range(2)
    ]
    found = main_difference(compared(tmp_path, *systems, task="question-answering", metric="exact"))
    assert (found.n, found.units, found.mcnemar) == (200, 40, None)


@pytest.fixture(scope="module")
def run(
    checkpoint: Callable[..., Path], data: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A finished run of a tiny text classifier."""
    folder = tmp_path_factory.mktemp("run")
    name = "text-classification"
    recipe = tiny.recipe(folder / "tiny.yaml", name, checkpoint("bert"), data(name))
    return workflow.finetune(recipe, output=folder / "run").path


def test_a_run_compared_with_its_own_copy_is_identical(run: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run, tmp_path / "copy")
    found = tunekit.compare([run, copy])
    assert (found.split, found.task) == ("test", "text-classification")
    assert found.pairs[0].identical


def test_a_split_that_is_not_there_is_refused_with_those_that_are(run: Path) -> None:
    with pytest.raises(InputError, match="has predictions for test, validation, none for train"):
        tunekit.compare([run, run], split="train")


def test_a_model_on_other_data_is_scored_first(
    run: Path, data: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = tunekit.compare([run, run / "model"], f"data.path={data('text-classification') / 'test.jsonl'}")
    assert found.pairs[0].identical


def test_models_whose_folders_are_called_alike_keep_scores_of_their_own(
    run: Path, data: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    models = [shutil.copytree(run / "model", Path(name) / "model") for name in "ab"]
    weights = load_file(models[1] / "model.safetensors")
    weights["classifier.weight"] *= -1
    save_file(weights, models[1] / "model.safetensors")
    found = tunekit.compare(models, f"data.path={data('text-classification') / 'test.jsonl'}")
    assert found.task == "text-classification" and not found.pairs[0].identical


def test_predictions_of_virtual_tokens_are_judged_by_the_task_of_the_adapter(tmp_path: Path) -> None:
    scores = {"summaries": 1.0, **dict.fromkeys(rouge.KINDS, 1.0)}
    rows = [{"id": n, "prediction": "a b", "reference": "a b", "scores": scores} for n in range(3)]
    facts = json.dumps({"task": "summarization", "options": {}, "labels": []})
    for name in "ab":
        written(tmp_path / name / "predictions" / "test.jsonl", rows)
        written(tmp_path / name / "adapter" / "tunekit.json", []).write_text(facts)
    found = compare_predictions([tmp_path / "a", tmp_path / "b"], ["a", "b"])
    assert (found.task, found.metric) == ("summarization", "rougeL")


def test_the_predictions_of_a_run_are_compared_with_a_file_of_another_tool(run: Path, tmp_path: Path) -> None:
    lines = (run / "predictions" / "test.jsonl").read_text().splitlines()
    rows = [{"id": row["id"], "prediction": row["prediction"]["label"]} for row in map(json.loads, lines)]
    found = tunekit.compare([run, written(tmp_path / "other.jsonl", rows)])
    assert found.pairs[0].identical


def test_rows_of_predictions_say_how_much_was_read(run: Path) -> None:
    rows = [json.loads(line) for line in (run / "predictions" / "test.jsonl").read_text().splitlines()]
    assert all(row["tokens"] > 2 for row in rows)


def test_files_are_not_scored_on_other_data(run: Path, tmp_path: Path) -> None:
    file = written(tmp_path / "a.jsonl", labelled(10, 0.8, 1))
    with pytest.raises(InputError, match="is a file of predictions, which cannot be scored"):
        tunekit.compare([run, file], "data.path=other.csv")


def test_one_system_is_refused(run: Path) -> None:
    with pytest.raises(InputError, match="needs two systems or more"):
        tunekit.compare([run])


def test_a_page_has_the_ending_of_a_page(run: Path) -> None:
    with pytest.raises(InputError, match=r"ends in \.html"):
        tunekit.compare([run, run], output="page.pdf")


def ran(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    """The exit code of a command."""
    monkeypatch.setattr("sys.argv", ["tunekit", *arguments])
    with pytest.raises(SystemExit) as stop:
        main()
    return int(stop.value.code or 0)


def test_the_command_ends_with_the_verdict_and_code_0(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [str(written(tmp_path / f"{n}.jsonl", labelled(300, 0.8, n))) for n in (1, 2)]
    assert ran(["compare", *files], monkeypatch) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("not distinguishable on 300 examples")


def test_json_holds_the_whole_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [written(tmp_path / f"{n}.jsonl", labelled(300, 0.8, n)) for n in (1, 2)]
    assert ran(["compare", *map(str, paths), "--json"], monkeypatch) == 0
    document = json.loads(capsys.readouterr().out)
    found = compare_predictions(paths, list(map(str, paths)))
    assert document == json.loads(as_json(found.facts()))
    assert {each["metric"] for each in document["pairs"][0]["differences"]} == set(labels.OF_LABELS)
