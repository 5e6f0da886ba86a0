"""`tunekit embed`: the vectors of plain transformers, whole files or none, as a checkpoint says."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import tiny
from tunekit import cli, embed, embedding
from tunekit.errors import InputError, TunekitError
from tunekit.models.families import continues

TEXTS = [
    "the film was good",
    "Ada",
    "a very dull and poor plot, and the cast was not great",
    "Bob went to Rome",
]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file of texts of different lengths."""
    file = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    return str(tiny.write_jsonl(file, [{"text": text} for text in TEXTS]))


@pytest.fixture
def told(checkpoint: Callable[..., Path], tmp_path: Path) -> Callable[..., Path]:
    """A maker of copies of a tiny BERT with files of sentence-transformers beside it."""

    def make(modules: list[str], **files: Any) -> Path:
        folder = Path(shutil.copytree(checkpoint("bert"), tmp_path / "told"))
        kinds = [{"path": path(kind), "type": f"sentence_transformers.models.{kind}"} for kind in modules]
        for name, content in {"modules": kinds, **files}.items():
            file = folder / {"pooling": "1_Pooling/config"}.get(name, name)
            file.parent.mkdir(exist_ok=True)
            file.with_name(f"{file.name}.json").write_text(json.dumps(content))
        return folder

    def path(kind: str) -> str:
        return "" if kind == "Transformer" else f"1_{kind}"

    return make


def plain(folder: Path, head: str, pooling: str, texts: list[str] = TEXTS, skipped: int = 0) -> Any:
    """The vectors of transformers alone, one text at a time, shape (texts, hidden)."""
    import torch
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = getattr(transformers, head).from_pretrained(folder).eval()
    with torch.inference_mode():
        states = [model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0] for text in texts]
    chosen = {"cls": lambda h: h[0], "mean": lambda h: h.mean(0), "last": lambda h: h[-1]}[pooling]
    return np.stack([chosen(each[skipped:]).numpy() for each in states])


def made(model: Path, source: str, folder: Path, **options: Any) -> tuple[Any, dict[str, Any]]:
    """The vectors that embed writes, and what it says of them."""
    done = embed(model, source, folder / "vectors.npy", **options)
    return np.load(folder / "vectors.npy", mmap_mode="r"), done


@pytest.mark.parametrize("family", tiny.able("feature-extraction"))
def test_every_family_gives_the_vectors_of_plain_transformers(
    family: str, checkpoint: Callable[..., Path], rows: str, tmp_path: Path
) -> None:
    from transformers import CONFIG_MAPPING

    from tunekit.models.families import table

    vectors, done = made(checkpoint(family), rows, tmp_path)
    assert done["pooling"] == ("last" if continues(CONFIG_MAPPING[family]) else "mean")
    wanted = plain(checkpoint(family), str(table()[family]["feature-extraction"]), done["pooling"])
    assert vectors.dtype == np.float32
    assert np.abs(vectors - wanted).max() < 1e-5


def test_only_decoders_take_the_last_token() -> None:
    from transformers import CONFIG_MAPPING

    able = tiny.able("feature-extraction")
    assert {name for name in able if continues(CONFIG_MAPPING[name])} == {"gpt2", "llama", "qwen3"}


def test_a_model_of_pictures_is_refused(checkpoint: Callable[..., Path], rows: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no head for feature-extraction; it can do image-classification"):
        embed(checkpoint("vit"), rows, tmp_path / "v.npy")


def test_the_checkpoint_says_pooling_length_normalization_and_prompt(
    told: Callable[..., Path], rows: str, tmp_path: Path
) -> None:
    folder = told(
        ["Transformer", "Pooling", "Normalize"],
        pooling={"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False},
        sentence_bert_config={"max_seq_length": 6},
        config_sentence_transformers={"prompts": {"q": "the "}, "default_prompt_name": "q"},
    )
    vectors, done = made(folder, rows, tmp_path)
    said = {key: done[key] for key in ("pooling", "normalize", "max_length", "prefix", "truncated")}
    assert said == {"pooling": "cls", "normalize": True, "max_length": 6, "prefix": "the ", "truncated": 3}
    wanted = plain(folder, "AutoModel", "cls", ["the Ada"])[0]
    assert np.abs(vectors[1] - wanted / np.linalg.norm(wanted)).max() < 1e-5


@pytest.mark.parametrize("pooling", ["cls", "mean", "last"])
def test_a_checkpoint_may_ask_for_small_letters_and_leave_its_prompt_out_of_the_vector(
    pooling: str, told: Callable[..., Path], tmp_path: Path
) -> None:
    folder = told(
        ["Transformer", "Pooling"],
        pooling={"pooling_mode": "lasttoken" if pooling == "last" else pooling, "include_prompt": False},
        sentence_bert_config={"max_seq_length": 64, "do_lower_case": True},
        config_sentence_transformers={"prompts": {"q": "the Cast was: "}, "default_prompt_name": "q"},
    )
    spelled = json.loads((folder / "tokenizer.json").read_text())
    spelled["normalizer"]["lowercase"] = False
    (folder / "tokenizer.json").write_text(json.dumps(spelled))
    source = tiny.write_jsonl(tmp_path / "rows.jsonl", [{"text": text.upper()} for text in TEXTS])
    vectors, _ = made(folder, str(source), tmp_path)
    told_by = [f"the cast was: {text.lower()}" for text in TEXTS]
    assert np.abs(vectors - plain(folder, "AutoModel", pooling, told_by, skipped=5)).max() < 1e-5  # [CLS], 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pooling": "max"}, "--pooling: .* is max; choose from auto, cls, mean, last"),
        ({"max_length": 2}, "--max-length: .* is 2; give a number of at least 4"),
        ({"poling": "cls"}, "poling is an unknown key; did you mean .*pooling"),
    ],
)
def test_an_option_that_cannot_be_is_named_with_what_can(
    options: dict[str, Any], message: str, checkpoint: Callable[..., Path], rows: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        embed(checkpoint("bert"), rows, tmp_path / "v.npy", **options)


def test_what_the_user_says_comes_before_what_the_checkpoint_says(
    told: Callable[..., Path], rows: str, tmp_path: Path
) -> None:
    folder = told(["Transformer", "Pooling", "Normalize"], pooling={"pooling_mode": "cls"})
    vectors, _ = made(folder, rows, tmp_path, pooling="last", normalize=False, prefix="a ")
    wanted = plain(folder, "AutoModel", "last", [f"a {text}" for text in TEXTS])
    assert np.abs(vectors - wanted).max() < 1e-5


@pytest.mark.parametrize(
    ("modules", "pooling", "message"),
    [
        (["Transformer", "Pooling", "Dense"], {"pooling_mode": "mean"}, "with Dense behind the pooling"),
        (["Transformer", "Pooling"], {"pooling_mode_max_tokens": True}, "by the pooling max"),
        (["Transformer", "Pooling"], {"pooling_mode": ["cls", "mean"]}, "by the pooling cls, mean"),
    ],
)
def test_what_is_not_computed_here_is_refused(
    modules: list[str],
    pooling: dict[str, Any],
    message: str,
    told: Callable[..., Path],
    rows: str,
    tmp_path: Path,
) -> None:
    with pytest.raises(InputError, match=message):
        embed(told(modules, pooling=pooling), rows, tmp_path / "v.npy")


def test_parquet_has_ids_and_vectors_in_row_groups(
    checkpoint: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pyarrow.parquet

    monkeypatch.setattr(embedding, "CHUNK", 2)
    source = tiny.write_jsonl(tmp_path / "r.jsonl", [{"id": f"r{i}", "said": t} for i, t in enumerate(TEXTS)])
    model, columns = checkpoint("bert"), {"text": "said"}
    embed(model, str(source), tmp_path / "v.parquet", columns)
    embed(model, str(source), tmp_path / "v.npy", columns)
    file = pyarrow.parquet.ParquetFile(tmp_path / "v.parquet")
    table = file.read()
    assert file.num_row_groups == 2
    assert table["id"].to_pylist() == ["r0", "r1", "r2", "r3"]
    assert np.array_equal(np.array(table["vector"].to_pylist(), np.float32), np.load(tmp_path / "v.npy"))


@pytest.mark.parametrize(
    ("ids", "wanted"),
    [
        ([5, 6, 7], [5, 6, 7]),
        ([5, 2**64, 7], ["5", str(2**64), "7"]),
        ([5, 6, True], ["5", "6", "True"]),
        (["a", 6, 7], ["a", "6", "7"]),
        ([5, 6, "b"], ["5", "6", "b"]),
    ],
)
def test_ids_are_whole_numbers_as_long_as_all_are(ids: list[Any], wanted: list[Any], tmp_path: Path) -> None:
    import pyarrow.parquet

    vectors = np.arange(6, dtype=np.float32).reshape(3, 2)
    file = embedding.ParquetFile(tmp_path / "v.parquet", vectors)
    for number, each in enumerate(ids):
        file.add([each], vectors[number : number + 1])
    file.finish()
    table = pyarrow.parquet.read_table(tmp_path / "v.parquet")
    assert table["id"].to_pylist() == wanted
    assert table["vector"].to_pylist() == vectors.tolist()
    assert [path.name for path in tmp_path.iterdir()] == ["v.parquet"]


def test_half_writes_the_same_numbers_in_16_bits(
    checkpoint: Callable[..., Path], rows: str, tmp_path: Path
) -> None:
    halved, done = made(checkpoint("bert"), rows, tmp_path, half=True)
    (tmp_path / "whole").mkdir()
    vectors, _ = made(checkpoint("bert"), rows, tmp_path / "whole")
    assert (halved.dtype, done["dtype"]) == (np.float16, "float16")
    assert np.array_equal(halved, vectors.astype(np.float16))


def test_what_goes_wrong_in_the_middle_leaves_no_file(
    checkpoint: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding, "CHUNK", 1024)
    text = json.dumps({"text": "good"}) + "\n"
    (tmp_path / "rows.jsonl").write_text(text * 1024 + '{"text": 7}\n')
    with pytest.raises(TunekitError, match="rows.jsonl:1025"):
        embed(checkpoint("bert"), str(tmp_path / "rows.jsonl"), tmp_path / "v.npy")
    assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]


@pytest.mark.parametrize("output", ["v.txt", "nowhere/v.npy"])
def test_an_output_that_cannot_be_is_refused_before_anything_is_read(output: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--output"):
        embed("no-such-model", "no-such-file", tmp_path / output)


def test_the_input_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "rows.parquet").write_bytes(b"")
    with pytest.raises(InputError, match="is the input itself"):
        embed("no-such-model", str(tmp_path / "rows.parquet"), tmp_path / "rows.parquet")


def test_a_damaged_file_of_the_checkpoint_is_named(
    told: Callable[..., Path], rows: str, tmp_path: Path
) -> None:
    folder = told(["Transformer", "Pooling"])
    (folder / "modules.json").write_text("[")
    with pytest.raises(InputError, match="modules.json is damaged"):
        embed(folder, rows, tmp_path / "v.npy")


def test_a_run_without_a_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(InputError, match="has no model yet"):
        embed(tmp_path, "-", tmp_path / "v.npy")


def test_the_command_says_what_it_wrote(
    checkpoint: Callable[..., Path], rows: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["embed", str(checkpoint("bert")), "-i", rows, "-o", str(tmp_path / "v.npy"), "--json"]
    cli.app([*words, "--normalize"], standalone_mode=False)
    done = json.loads(capsys.readouterr().out)
    assert (done["rows"], done["dimensions"], done["normalize"]) == (len(TEXTS), 32, True)
    assert np.linalg.norm(np.load(tmp_path / "v.npy"), axis=1) == pytest.approx(1, abs=1e-6)
