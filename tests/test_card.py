"""The model card: what machines read of it, what people do, and that nothing in the data can break either."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sklearn.metrics
import yaml
from huggingface_hub import ModelCard, constants, parse_eval_result_entries
from seqeval.metrics import classification_report

from tests import tiny
from tests.test_text_classification import pairs, ratings, topics
from tunekit import tasks, workflow
from tunekit.card import benchmark_results, card, escape
from tunekit.card.example import BARE, EXAMPLE
from tunekit.card.facts import facts_of, last_part, shortened
from tunekit.card.markdown import fenced, linked
from tunekit.card.metadata import metadata
from tunekit.card.template import check_template, render
from tunekit.errors import InputError
from tunekit.models.base_card import base_card_facts
from tunekit.recipe import load
from tunekit.run import Run

Make = Callable[..., Path]

TEXT, WORDS, QA, SUMMARY, PICTURE, TRANSLATION, TEXTS, NEAR = (
    "text-classification",
    "token-classification",
    "question-answering",
    "summarization",
    "image-classification",
    "translation",
    "text2text",
    "sentence-similarity",
)
COMMIT = "0123456789" * 4
CARD = "---\nlicense: apache-2.0\nlanguage:\n- en\n- no\ntags:\n- exbert\n---\n\n# BERT\n"
HOSTILE = ["a|b", "two\nlines", "`tick` ```", "<script>alert(1)</script>", "---", "{{ 7*7 }}", "# [x](y)"]


def labelled(count: int, start: int = 0) -> list[dict[str, Any]]:
    """Texts whose labels are chosen to do harm."""
    rows = tiny.reviews(count, start=start)
    return [{**row, "label": HOSTILE[i % len(HOSTILE)]} for i, row in enumerate(rows, start)]


def gaps(count: int, start: int = 0) -> list[dict[str, Any]]:
    """Questions of which every third has no answer."""
    rows = tiny.questions(count, start=start)
    nothing: dict[str, Any] = {"text": [], "answer_start": []}
    return [row if i % 3 else {**row, "answers": nothing} for i, row in enumerate(rows)]


CASES: dict[str, tuple[str, str, Callable[..., list[dict[str, Any]]], list[str]]] = {
    "label": (TEXT, "bert", labelled, []),
    "pair": (TEXT, "gpt2", pairs, []),
    "labels": (TEXT, "bert", topics, ["task.kind=multi-label"]),
    "number": (TEXT, "bert", ratings, ["task.kind=regression"]),
    "entities": (WORDS, "bert", tiny.sentences, []),
    "tags": (WORDS, "roberta", tiny.sentences, ["task.scheme=plain"]),
    "answer": (QA, "bert", tiny.questions, []),
    "no-answer": (QA, "gpt2", gaps, ["task.allow_no_answer=true"]),
    "summary": (SUMMARY, "t5", tiny.documents, ["task.prefix='summarize: '", "task.max_summary=6"]),
    "continuation": (SUMMARY, "gpt2", tiny.documents, ["task.max_document=40", "task.max_summary=6"]),
    "picture": (PICTURE, "vit", tiny.pictures, []),
    "translation": (TRANSLATION, "m2m_100", tiny.translations, ["task.max_target=6"]),
    "output": (TEXTS, "t5", tiny.exchanges, ["task.template='ask: {input}'", "task.max_output=6"]),
    "prompt": ("text-generation", "gpt2", tiny.prompts, ["task.max_length=40", "task.max_new_tokens=6"]),
    "near": (NEAR, "bert", tiny.pairs, []),
    "near-decoder": (NEAR, "gpt2", tiny.pairs, ["task.anchor_prefix='was '"]),
}


@pytest.fixture(scope="module")
def finished(checkpoint: Make, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Run]:
    """A maker of finished runs by case, each made once."""
    made: dict[str, Run] = {}

    def make(case: str) -> Run:
        if case not in made:
            task, family, rows, overrides = CASES[case]
            folder = tmp_path_factory.mktemp("card")
            for number, split in enumerate(("train", "validation", "test")):
                tiny.write_jsonl(folder / "data" / f"{split}.jsonl", rows(28, start=number * 28))
            model = checkpoint(family, dropout=False)
            file = tiny.recipe(
                folder / "tiny.yaml", task, model, folder / "data", steps=30, evaluate_every=30
            )
            made[case] = workflow.finetune(file, *overrides, output=folder / "run")
        return made[case]

    return make


@pytest.fixture
def copied(finished: Callable[[str], Run], tmp_path: Path) -> Callable[..., Run]:
    """A maker of copies of a case's run with other facts in sections of its record."""

    def make(case: str, **sections: dict[str, Any]) -> Run:
        run = Run(Path(shutil.copytree(finished(case).path, tmp_path / case)))
        run.record(**{name: run.facts[name] | changes for name, changes in sections.items()})
        return run

    return make


def card_of(run: Run, *overrides: str, **given: Any) -> str:
    """The card of a run, made anew."""
    return card(run, load(run.path / "recipe.yaml", overrides), **given)


def written(run: Run) -> str:
    """The card that a run wrote."""
    return (run.path / "README.md").read_text()


def results(text: str) -> dict[tuple[str, str], float]:
    """The results in the metadata of a card, by split and metric."""
    found = ModelCard(text).data.eval_results
    return {(each.dataset_split, each.metric_type): each.metric_value for each in found}


def predicted(run: Run, split: str = "test") -> list[dict[str, Any]]:
    """The predictions of a run."""
    lines = (run.path / "predictions" / f"{split}.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def label_rows(text: str) -> list[list[str]]:
    """The cells of the table of labels, without their escapes."""
    rows = re.search(r"^\| label \|.*\n\|---.*\n((?:\|.*\n)+)", text, re.MULTILINE)
    assert rows
    cells = [re.split(r" (?<!\\)\| ", row.strip("|").strip()) for row in rows[1].splitlines()]
    return [[re.sub(r"\\(.)", r"\1", cell) for cell in row] for row in cells]


@pytest.mark.parametrize("case", ["label", "labels", "number", "entities", "answer", "summary", "picture"])
def test_the_metadata_has_every_finite_metric_of_every_split_and_no_baseline(
    case: str, finished: Callable[[str], Run]
) -> None:
    run = finished(case)
    measure = tasks.find(CASES[case][0]).judged_by(load(run.path / "recipe.yaml").task.options)
    wanted = {
        (split, metric): score["value"]
        for split, scores in run.metrics().items()
        for metric, score in scores.items()
        if metric in measure.names
    }
    assert results(written(run)) == wanted


def test_the_metadata_says_what_the_model_is(finished: Callable[[str], Run]) -> None:
    data = ModelCard(written(finished("entities"))).data
    assert (data.library_name, data.pipeline_tag, data.tags) == ("transformers", WORDS, ["tunekit"])
    assert data.metrics == ["f1", "precision", "recall", "accuracy"]


def test_of_a_local_checkpoint_and_local_data_the_metadata_names_neither(
    finished: Callable[[str], Run],
) -> None:
    data = ModelCard(written(finished("entities"))).data
    assert data.base_model is None and data.datasets is None and "base_model_relation" not in data
    assert {result.dataset_type for result in data.eval_results} == {"local"}


def test_a_value_that_is_no_number_is_no_result(copied: Callable[..., Run]) -> None:
    run = copied("label")
    metrics = run.metrics()
    metrics["test"]["accuracy"]["value"] = None
    metrics["test"]["mcc"]["value"] = float("nan")
    (run.path / "metrics.json").write_text(json.dumps(metrics))
    found = results(card_of(run))
    assert ("test", "macro_f1") in found
    assert not {("test", "accuracy"), ("test", "mcc")} & found.keys()


def test_a_model_and_data_of_the_hub_are_named_with_their_revisions(copied: Callable[..., Run]) -> None:
    run = copied("label", checkpoint={"name": "ada/tiny", "commit": COMMIT}, data={"from_hub": True})
    given = ["data=ada/reviews", "data.config=short", f"data.revision={COMMIT}", "model=ada/tiny"]
    text = card_of(run, *given)
    data = ModelCard(text).data
    assert (data.base_model, data.base_model_relation, data.datasets) == (
        "ada/tiny",
        "finetune",
        ["ada/reviews"],
    )
    result = data.eval_results[0]
    assert (result.dataset_type, result.dataset_config, result.dataset_revision) == (
        "ada/reviews",
        "short",
        COMMIT,
    )
    assert f"commit {COMMIT}" in text and "name: ada/tiny" in text and "path: ada/reviews" in text


def test_an_adapter_alone_is_related_as_one(copied: Callable[..., Run]) -> None:
    run = copied("label", checkpoint={"name": "ada/tiny", "commit": COMMIT})
    data = ModelCard(card_of(run, alone=True)).data
    assert (data.base_model_relation, data.library_name) == ("adapter", "peft")


def test_results_name_the_split_of_the_hub_that_they_are_of(copied: Callable[..., Run]) -> None:
    run = copied("label", data={"from_hub": True})
    splits = "data.splits={train: train, validation: null, test: validation}"
    found = results(card_of(run, "data=ada/reviews", splits, "data.limit={test: 28}"))
    assert {split for split, _ in found} == {"validation (28 rows drawn)", "train (held out)"}


def test_results_on_the_same_split_are_given_once(copied: Callable[..., Run]) -> None:
    run = copied("label", data={"from_hub": True})
    text = card_of(run, "data=ada/reviews", "data.splits={train: train, validation: dev, test: dev}")
    metrics = run.metrics()["test"]
    assert results(text) == {
        ("dev", name): metrics[name]["value"] for name in ("accuracy", "macro_f1", "mcc")
    }


def test_hostile_labels_keep_the_metadata_and_the_table_whole(finished: Callable[[str], Run]) -> None:
    text = written(finished("label"))
    rows = label_rows(text)
    assert {row[0] for row in rows} == {" ".join(label.split()) for label in HOSTILE}
    assert {len(row) for row in rows} == {5}
    assert "<script>" not in text
    assert [line for line in text.splitlines() if line == "---"] == ["---", "---"]
    assert ModelCard(text).data.pipeline_tag == TEXT


def test_hostile_names_and_facts_of_the_base_model_stay_text(copied: Callable[..., Run]) -> None:
    evil = "mit\n---\n# <script>`x`</script> {{ 7*7 }}"
    run = copied("label", checkpoint={"name": f"/x/{evil}", "license": evil, "language": [evil]})
    text = card_of(run)
    assert [line for line in text.splitlines() if line == "---"] == ["---", "---"]
    assert ModelCard(text).data.license == evil
    body = ModelCard(text).text
    assert "<script>" not in body and "\n# mit" not in body and escape("{{ 7*7 }}") in body


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a|b\n# <script>`x`", r"a\|b \# \<script\>\`x\`"),
        ("---", r"\---"),
        ("- item", r"\- item"),
        ("1. item", r"1\. item"),
        ("-0.5", "-0.5"),
        ("see https://x.y", r"see https\://x.y"),
        ("a\x00\u202eb", "ab"),
    ],
)
def test_escaped_text_is_shown_as_it_is(text: str, wanted: str) -> None:
    assert escape(text) == wanted


def test_code_with_fences_gets_a_longer_one() -> None:
    assert fenced("a\n````\nb", "yaml") == "`````yaml\na\n````\nb\n`````"


@pytest.mark.parametrize("address", ["javascript:alert(1)", "https://x.y/<b>", "https://x.y/a b"])
def test_what_is_no_plain_address_becomes_no_link(address: str) -> None:
    assert linked(address) == escape(address)


def test_per_label_numbers_are_those_of_scikit_learn(finished: Callable[[str], Run]) -> None:
    run = finished("label")
    rows = predicted(run)
    told = [[row["reference"] for row in rows], [row["prediction"]["label"] for row in rows]]
    wanted = sklearn.metrics.classification_report(*told, output_dict=True, zero_division=0)
    for found in facts(run)["label_scores"]["rows"]:
        numbers = wanted[found["label"]]
        assert found["n"] == numbers["support"]
        assert [found[key] for key in ("precision", "recall", "f1")] == pytest.approx(
            [numbers[key] for key in ("precision", "recall", "f1-score")]
        )


def test_per_type_numbers_are_those_of_seqeval(finished: Callable[[str], Run]) -> None:
    run = finished("entities")
    rows = predicted(run)
    told = [row["reference"] for row in rows], [row["prediction"]["tags"] for row in rows]
    wanted = classification_report(*told, output_dict=True, zero_division=0)
    found = {row["label"]: row for row in facts(run)["label_scores"]["rows"]}
    assert found.keys() == {"PER", "LOC"}
    for kind, row in found.items():
        numbers = [wanted[kind][key] for key in ("precision", "recall", "f1-score", "support")]
        assert [row["precision"], row["recall"], row["f1"], row["n"]] == pytest.approx(numbers)


def facts(run: Run) -> dict[str, Any]:
    """What the card of a run is made of."""
    return facts_of(run, load(run.path / "recipe.yaml"), "user/name")


def test_the_table_has_these_numbers(finished: Callable[[str], Run]) -> None:
    run = finished("entities")
    rows = [
        [row["label"], *(f"{row[key]:.4f}" for key in ("precision", "recall", "f1")), str(row["n"])]
        for row in facts(run)["label_scores"]["rows"]
    ]
    assert label_rows(written(run)) == rows


@pytest.mark.parametrize("case", ["number", "answer", "summary"])
def test_a_task_that_counts_no_labels_has_no_table_of_them(case: str, finished: Callable[[str], Run]) -> None:
    assert "| label |" not in written(finished(case))


ASKED: dict[str, tuple[dict[str, Any], Callable[[Any], Any], Callable[[Any], Any]]] = {
    "label": ({"text": "Ada went to Paris."}, lambda out: out[0]["label"], lambda a: a["label"]),
    "pair": (
        {"premise": "Ada went to Paris.", "hypothesis": "Ada was in Paris."},
        lambda out: out["label"],
        lambda answer: answer["label"],
    ),
    "labels": ({"text": "Ada went to Paris."}, sorted, lambda answer: sorted(answer["labels"])),
    "number": (
        {"text": "Ada went to Paris."},
        lambda out: pytest.approx(out[0]["score"], abs=1e-4),
        lambda answer: answer["value"],
    ),
    "entities": (
        {"text": "Ada Lovelace lived in London."},
        lambda out: [(each["entity_group"], each["start"], each["end"]) for each in out],
        lambda answer: [(each["type"], each["start"], each["end"]) for each in answer["entities"]],
    ),
    "tags": (
        {"tokens": ["Ada", "Lovelace", "lived", "in", "London"]},
        lambda out: list(out.values()),
        lambda answer: answer["tags"],
    ),
    **dict.fromkeys(
        ["answer", "no-answer"],
        (
            {"question": "Where did Ada go?", "context": "Ada went to Paris and Bob to Rome."},
            str,
            lambda answer: answer["answer"],
        ),
    ),
    **dict.fromkeys(
        ["summary", "continuation"],
        (
            {"document": "The committee met on Monday. After six hours it agreed on a budget."},
            str,
            lambda answer: answer["summary"],
        ),
    ),
    "translation": (
        {"source": "The committee agreed on a budget."},
        str,
        lambda answer: answer["translation"],
    ),
    "output": ({"input": "Where did Ada go?"}, str, lambda answer: answer["output"]),
    **{
        case: (
            {"anchor": "Ada went to Paris.", "positive": "Ada was in Paris."},
            lambda out: pytest.approx(out, abs=1e-4),
            lambda answer: answer["similarity"],
        )
        for case in ("near", "near-decoder")
    },
    "picture": ({"image": "black.png"}, lambda out: out[0]["label"], lambda answer: answer["label"]),
    "prompt": ({"prompt": "The committee met on Monday."}, str, lambda answer: answer["text"]),
}


@pytest.mark.parametrize("case", CASES)
def test_the_plain_code_in_the_card_runs_as_printed_and_answers_as_tunekit_does(
    case: str, finished: Callable[[str], Run], tmp_path: Path
) -> None:
    run, (row, of_code, of_tunekit) = finished(case), ASKED[case]
    (code,) = re.findall(r"```python\n(.*?)```", written(run), re.DOTALL)
    printed: list[Any] = []
    exec(code.replace("user/name", str(run.model)), {"print": printed.append})
    (tmp_path / "black.png").write_bytes(tiny.png([[[0, 0, 0]] * 64] * 64))
    file = tiny.write_jsonl(tmp_path / "rows.jsonl", [row])
    (answer,) = workflow.predict(run.path, str(file))
    assert of_tunekit(answer["prediction"]) == of_code(printed[0])


def test_every_task_has_a_case_and_a_name_on_the_hub() -> None:
    assert {task for task, *_ in CASES.values()} == set(tasks.names())
    assert all(tasks.find(name).pipeline_tag for name in tasks.names())


def test_the_commands_and_the_code_name_the_repository(finished: Callable[[str], Run]) -> None:
    text = card_of(finished("label"), repo="ada/reviews-bert")
    assert "tunekit predict ada/reviews-bert --input rows.jsonl" in text
    assert 'model = "ada/reviews-bert"' in text
    assert "user/name" not in text


@pytest.mark.parametrize("case", ["label", "entities", "picture"])
def test_the_card_has_no_local_path_and_no_token(
    case: str, copied: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "a-planted-secret")
    run = copied(case, data={"columns": {"text": "a-planted-secret"}})
    text = card_of(run)
    assert "planted" not in text and "***" in text.replace("\\", "")
    assert str(run.path.parent) not in text and "/tmp" not in text
    assert str(Path(run.facts["checkpoint"]["name"]).parent) not in text


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/home/ada/reviews.csv", "reviews.csv"),
        ("~/models/bert/", "bert"),
        ("~ada", "a folder"),
        (".", "a folder"),
        ("C:\\Users\\ada\\reviews.csv", "reviews.csv"),
        (str(Path.home()), "a folder"),
    ],
)
def test_of_a_path_the_last_part_is_left(path: str, name: str) -> None:
    assert last_part(path) == name


def test_only_paths_of_this_machine_are_shortened() -> None:
    given = {"a": ["/x/own.py", "f1"], "b": {"c": "user/name", "d": "./x/y.jinja"}, "separator": "/", "n": 1}
    assert shortened(given) == {
        "a": ["own.py", "f1"],
        "b": {"c": "user/name", "d": "y.jinja"},
        "separator": "/",
        "n": 1,
    }


@pytest.fixture(scope="module")
def from_hub(checkpoint: Make, data: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that began from a checkpoint in the cache of the Hub, whose card is there too."""
    folder = tmp_path_factory.mktemp("hub")
    cached = folder / "hub" / "models--ada--tiny"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text(COMMIT)
    snapshot = Path(shutil.copytree(checkpoint("bert"), cached / "snapshots" / COMMIT))
    (snapshot / "README.md").write_text(CARD)
    file = tiny.recipe(folder / "tiny.yaml", TEXT, Path("ada/tiny"), data(TEXT), steps=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(constants, "HF_HUB_CACHE", str(folder / "hub"))
        return workflow.finetune(file, output=folder / "run")


def test_license_and_languages_of_the_base_model_are_carried_over(from_hub: Run) -> None:
    data = ModelCard(written(from_hub)).data
    assert (data.base_model, data.base_model_relation) == ("ada/tiny", "finetune")
    assert (data.license, data.language) == ("apache-2.0", ["en", "no"])
    assert "License: apache-2.0, as the base model's card says." in written(from_hub)


def test_a_license_that_is_not_known_is_not_guessed(finished: Callable[[str], Run]) -> None:
    text = written(finished("label"))
    assert ModelCard(text).data.license is None and "license" not in text.split("---\n")[1]
    assert "No license is known" in text


def test_a_license_in_a_file_beside_the_base_model_is_linked_there(copied: Callable[..., Run]) -> None:
    licensed = {"license": "other", "license_name": "ours", "license_link": "LICENSE.md"}
    run = copied("label", checkpoint={"name": "ada/tiny", "commit": COMMIT, **licensed})
    data = ModelCard(card_of(run)).data
    assert data.license_link == f"https://huggingface.co/ada/tiny/blob/{COMMIT}/LICENSE.md"
    run.record(checkpoint=run.facts["checkpoint"] | {"commit": None})
    assert ModelCard(card_of(run)).data.license_link is None


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (CARD, {"license": "apache-2.0", "language": ["en", "no"]}),
        ("---\r\nlicense: mit\r\nlanguage: no\r\n---\r\n", {"license": "mit", "language": "no"}),
        ("---\nmodel-index:\n- name: license\n  x: *y\nlicense: mit\n---\n", {"license": "mit"}),
        ("---\nlicense: [mit, {a: b}]\nlicense_name: null\n---\n", {"license": ["mit"]}),
        ("---\nlicense: {a: b}\n---\n", {}),
        ("---\nlicense: *mit\n---\n", {}),
        ("---\nlicense: mit\nlicense: gpl\n---\n", {}),
        ("---\nlicense: 'mit\n---\n", {}),
        (f"---\nlicense: {'x' * 301}\n---\n", {}),
        ("license: mit\n", {}),
        ("", {}),
    ],
)
def test_a_base_models_card_says_what_it_says_plainly(
    text: str, wanted: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "README.md").write_bytes(text.encode())
    assert base_card_facts(tmp_path) == wanted


def test_a_folder_without_a_card_says_nothing(tmp_path: Path) -> None:
    assert base_card_facts(tmp_path) == {}


def test_a_benchmark_gets_the_test_score(finished: Callable[[str], Run]) -> None:
    run = finished("label")
    listed = SimpleNamespace(dataset="ada/bench", task_id="short", metric="accuracy")
    (entry,) = parse_eval_result_entries(yaml.safe_load(benchmark_results(run, listed)))
    assert (entry.dataset_id, entry.task_id) == ("ada/bench", "short")
    assert entry.value == run.metrics()["test"]["accuracy"]["value"]
    assert "accuracy on 28 rows of the test split, 95 % interval" in str(entry.notes)


def test_a_benchmark_with_a_metric_that_there_is_not_is_refused(finished: Callable[[str], Run]) -> None:
    listed = SimpleNamespace(dataset="ada/bench", task_id="short", metric="acuracy")
    with pytest.raises(InputError, match="no such score; did you mean 'accuracy'?.*name one of them"):
        benchmark_results(finished("label"), listed)


def test_a_template_of_the_users_replaces_the_text_and_not_the_metadata(
    finished: Callable[[str], Run], tmp_path: Path
) -> None:
    template = tmp_path / "mine.md.jinja"
    template.write_text(
        "{% for label in labels %}\n{{ label }}\n{% endfor %}\n{{ data.splits[0].rows }} rows"
    )
    check_template(template)
    text = card_of(finished("label"), f"hub.card={template}")
    lines = ModelCard(text).text.strip().splitlines()
    assert sorted(lines) == sorted([*(escape(label) for label in HOSTILE), "28 rows"])
    assert results(text) == results(written(finished("label")))


def test_a_recipe_names_a_template_which_is_checked_before_anything_is_written(
    finished: Callable[[str], Run], tmp_path: Path
) -> None:
    recipe, template = finished("label").path / "recipe.yaml", tmp_path / "mine.jinja"
    template.write_text("{{ titel }}")
    with pytest.raises(InputError, match="mine.jinja, line 1: 'titel' is an unknown variable"):
        workflow.finetune(recipe, f"hub.card={template}", output=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    template.write_text("{{ task }}: mine")
    run = workflow.finetune(recipe, f"hub.card={template}", "train.steps=1", output=tmp_path / "run")
    assert written(run).endswith("---\n\ntext-classification: mine\n")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "\n{{ titel }}",
            "line 2: 'titel' is an unknown variable; did you mean 'title'.*correct or remove it",
        ),
        ("a\nb\n{{ base.nme }}", "line 3: .*has no attribute 'nme'; correct the template"),
        ("{% for x in labels %}", "line 1: .*correct the template"),
        ("a\n{{ title | upper_case }}", "line 2: .*upper_case.*correct the template"),
        ("{% include 'other' %}", "line 1: .*correct the template"),
        ("a\n{{ title.__class__.__mro__ }}", "line 2: .*unsafe; correct the template"),
        ("{{ label_scores.rows | length }}", "line 1: .*None.*correct the template"),
        ("---\nlicense: mit\n---\n", "line 1: the metadata .* is made from the run; remove it"),
    ],
)
def test_a_broken_template_is_refused_with_its_file_and_line(
    source: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "mine.jinja"
    path.write_text(source)
    with pytest.raises(InputError, match=f"mine.jinja, {message}"):
        check_template(path)


def test_a_template_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none.jinja' cannot be read .*; give a text file"):
        check_template(tmp_path / "none.jinja")


def test_blocks_and_macros_of_a_template_are_not_escaped_twice(tmp_path: Path) -> None:
    path = tmp_path / "mine.jinja"
    path.write_text("{% macro m(x) %}**{{ x }}**{% endmacro %}{{ m('a_b') }} {{ '<b>' | safe }}")
    assert render(EXAMPLE, path) == "**a\\_b** <b>\n"


def shape(value: Any) -> Any:
    """The keys of mappings, and of the mappings in them."""
    if isinstance(value, dict):
        return {key: shape(each) for key, each in value.items() if key not in ("columns", "versions")}
    return shape(value[0]) if isinstance(value, list) and value else None


def test_the_example_has_the_variables_of_real_cards(finished: Callable[[str], Run]) -> None:
    assert shape(EXAMPLE) == shape(facts(finished("label")))
    assert shape(BARE).keys() == shape(EXAMPLE).keys()


@pytest.mark.parametrize("known", [EXAMPLE, BARE], ids=["example", "bare"])
def test_the_shipped_template_has_no_gaps(known: dict[str, Any]) -> None:
    text = render(known, None)
    assert "\n\n\n" not in text and "None" not in text.replace("None:", "")
    assert ModelCard(f"---\n{metadata(known)}\n---\n").data.library_name == "transformers"


def test_the_card_tells_limits_training_and_data(finished: Callable[[str], Run]) -> None:
    run, text = finished("label"), written(finished("label"))
    assert "It reads at most 64 tokens of an example" in text
    assert f"It knows the {len(HOSTILE)} labels of its training rows" in text
    assert "Its test scores rest on 28 rows" in text
    assert "- Steps: 30, in " in text and "- Seed: 0\n" in text
    assert "Columns: text as text, label as label, id as id." in text
    assert f"\n{Path(run.facts['checkpoint']['name']).name}, a folder; the sha256 of its weights" in text
    assert run.facts["data"]["splits"]["test"]["sha256"][:12] in text
    assert "max_length: 64" in text


def test_a_model_that_reads_no_text_has_no_limits_of_language(finished: Callable[[str], Run]) -> None:
    assert "languages" in written(finished("label"))
    assert "languages" not in written(finished("picture"))
