"""Translation: languages, what is read and written, and scores that are those of sacrebleu."""

import json
import shutil
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sacrebleu.metrics import BLEU, CHRF

from tests import tiny
from tests.building import quiet
from tests.tiny_models import SIDES, save, sentence_pieces
from tunekit import tasks, workflow
from tunekit.data.batches import collate, pad_token_of
from tunekit.data.load import load
from tunekit.data.windows import encode
from tunekit.errors import EnvironmentFailure, InputError
from tunekit.evaluation import metric
from tunekit.metrics import translation_measure
from tunekit.models.checkpoint import inspect
from tunekit.models.load import load_model, load_processor
from tunekit.recipe import ModelSection
from tunekit.recipe import load as load_recipe
from tunekit.stats import totals
from tunekit.tasks._languages import codes_of

Checkpoint = Callable[..., Path]
ROW = {"source": "the film was good", "target": "great Paris", "id": 0}
WORDS = [
    "der",
    "die",
    "Film",
    "war",
    "gut,",
    "und",
    "schlecht.",
    "(sehr)",
    "3.5",
    "Müller-Straße",
    "U.S.",
    "中文",
]


def prepared(folder: Path, **options: Any) -> tuple[Any, Any]:
    """The task and the model of a checkpoint."""
    kind = tasks.find("translation")
    checkpoint = inspect(ModelSection(name=str(folder)), kind)
    chosen = kind.Options(max_source=40, max_target=8, **options)
    task = kind(chosen, load_processor(checkpoint, kind, quiet), [], checkpoint.head)
    return task, load_model(checkpoint, task, quiet, attention=None, dropout=None).eval()


def corpus(seed: int, several: bool) -> tuple[list[str], list[list[str]]]:
    """Translations and their references, which share many words; some are empty."""
    random = np.random.default_rng(seed)
    pairs = []
    for size in random.integers(1, 30, 40):
        right = random.choice(WORDS, size)
        mixed = np.where(random.random(size) < 0.8, right, random.choice(WORDS, size))[
            random.integers(0, 2) :
        ]
        more = [" ".join(random.choice(WORDS, size + 1))] if several else []
        pairs.append((" ".join(mixed), [" ".join(right), *more]))
    predictions, references = zip(*pairs, strict=True)
    return list(predictions), list(references)


@pytest.mark.parametrize("tokenizer", ["13a", "intl", "char", "zh", "none"])
@pytest.mark.parametrize("words", [0, 2])
@pytest.mark.parametrize("several", [False, True], ids=["one reference", "several"])
def test_scores_of_any_subset_are_sacrebleus_to_the_last_bit(
    tokenizer: str, words: int, several: bool
) -> None:
    measure = translation_measure(tokenizer, words)
    for seed in range(3):
        predictions, references = corpus(seed, several)
        rows = measure.statistics(predictions, references)
        for part in (slice(None), slice(3, 11), slice(7, 8)):
            found = measure.summarize(totals(rows[part]))
            streams = [list(each) for each in zip(*references[part], strict=True)]
            bleu = BLEU(tokenize=tokenizer, force=True).corpus_score(predictions[part], streams)
            chrf = CHRF(word_order=words).corpus_score(predictions[part], streams)
            assert found["bleu"] == bleu.score
            assert found["chrf_pp" if words else "chrf"] == chrf.score


def test_scores_of_resamples_are_those_of_their_rows() -> None:
    measure, (predictions, references) = translation_measure(), corpus(0, several=False)
    rows = measure.statistics(predictions, references)
    picks = np.random.default_rng(0).integers(0, len(rows), (5, len(rows)))
    sums = [totals([rows[i] for i in pick]) for pick in picks]
    together = measure.summarize({key: np.array([each[key] for each in sums]) for key in sums[0]})
    for number, pick in enumerate(picks):
        streams = [[references[i][0] for i in pick]]
        wanted = BLEU(force=True).corpus_score([predictions[i] for i in pick], streams)
        assert together["bleu"][number] == wanted.score


@pytest.mark.parametrize("several", [False, True], ids=["one reference", "several"])
def test_signatures_are_those_of_sacrebleu(several: bool) -> None:
    measure, (predictions, references) = translation_measure("intl", 2), corpus(0, several)
    streams = [list(each) for each in zip(*references, strict=True)]
    scorers = {"bleu": BLEU(tokenize="intl"), "chrf_pp": CHRF(word_order=2)}
    for scorer in scorers.values():
        scorer.corpus_score(predictions, streams)
    assert measure.signatures is not None
    assert measure.signatures(references) == {n: str(s.get_signature()) for n, s in scorers.items()}


def test_the_measure_has_a_name_in_python() -> None:
    found = metric("translation").compute(predictions=["ein Film"], references=[["ein Film"]])
    assert found["chrf"] == 100


@pytest.mark.parametrize(
    ("language", "tokenizer"),
    [
        (None, "13a"),
        ("de_DE", "13a"),
        ("zh", "zh"),
        ("zho_Hans", "zh"),
        ("zh_CN", "zh"),
        ("ja_XX", "ja-mecab"),
    ],
)
def test_words_are_parted_as_sacrebleu_does_for_the_language(language: str | None, tokenizer: str) -> None:
    options: Any = tasks.find("translation").Options(target_language=language)
    assert options.parted_by == tokenizer
    assert tasks.find("translation").Options(bleu_tokenizer="char").parted_by == "char"  # type: ignore[attr-defined]


def test_a_tokenizer_of_bleu_that_is_not_installed_is_refused(checkpoint: Checkpoint) -> None:
    if find_spec("MeCab"):
        pytest.skip("the package is installed")
    with pytest.raises(
        EnvironmentFailure, match=r"pip install 'sacrebleu\[ja\]', or set task.bleu_tokenizer"
    ):
        prepared(checkpoint("t5"), target_language="ja")


@pytest.mark.parametrize(
    ("family", "source", "target", "begins"),
    [
        ("m2m_100", "eng_Latn", "deu_Latn", ("</s>", "deu_Latn")),
        ("m2m_100", "deu_Latn", "eng_Latn", ("</s>", "eng_Latn")),
        ("mbart", "en_XX", "de_DE", ("de_DE", None)),
        ("mbart", "de_DE", "ro_RO", ("ro_RO", None)),
        ("bart", None, None, ("</s>", "<s>")),
        ("t5", None, None, ("<pad>", None)),
        ("marian", None, None, ("<pad>", None)),
    ],
)
def test_a_decoder_begins_with_what_it_learned_from(
    family: str,
    source: str | None,
    target: str | None,
    begins: tuple[str, str | None],
    checkpoint: Checkpoint,
) -> None:
    task, model = prepared(checkpoint(family), source_language=source, target_language=target)
    settings, token = model.generation_config, task.processor.convert_ids_to_tokens
    forced = settings.forced_bos_token_id
    assert (token(settings.decoder_start_token_id), None if forced is None else token(forced)) == begins


@pytest.mark.parametrize(
    ("family", "source", "target"),
    [("m2m_100", "eng_Latn", "deu_Latn"), ("mbart", "en_XX", "de_DE")],
)
def test_texts_are_encoded_as_the_tokenizer_itself_does_for_these_languages(
    family: str, source: str, target: str, checkpoint: Checkpoint
) -> None:
    from transformers import AutoTokenizer

    task, _ = prepared(checkpoint(family), source_language=source, target_language=target)
    plain = AutoTokenizer.from_pretrained(checkpoint(family), src_lang=source, tgt_lang=target)
    (window,) = task.encode(ROW)
    assert window.inputs["input_ids"] == plain(ROW["source"])["input_ids"]
    assert task.target(ROW, window)["labels"] == plain(text_target=ROW["target"])["input_ids"]


@pytest.mark.parametrize("family", ["t5", "marian", "m2m_100", "mbart", "gpt2"])
def test_a_source_that_is_too_long_keeps_what_stands_around_it(family: str, checkpoint: Checkpoint) -> None:
    task, _ = prepared(checkpoint(family))
    (short,), (long,) = (list(task.encode({"source": ROW["source"] * n})) for n in (1, 40))
    before, behind = task.around_read
    ids = long.inputs["input_ids"]
    assert (short.cut, long.cut, len(ids)) == (False, True, 40)
    assert ids[: len(before)] == before
    assert ids[40 - len(behind) - len(task.separator) :] == [*task.separator, *behind]


@pytest.mark.parametrize("family", ["marian", "m2m_100", "mbart"])
def test_words_spelled_like_special_tokens_are_not_special(family: str, checkpoint: Checkpoint) -> None:
    task, _ = prepared(checkpoint(family))
    special = set(task.processor.all_special_ids) - {task.processor.unk_token_id}
    text = f"good {' '.join(task.processor.all_special_tokens[:12])} good"
    assert not special & set(task.plain(text))


@pytest.mark.parametrize(
    ("code", "near"),
    [("de", "deu_Latn"), ("ger_Latn", "deu_Latn"), ("english", "eng_Latn")],
)
def test_a_code_that_does_not_exist_is_told_with_the_nearest(
    code: str, near: str, checkpoint: Checkpoint
) -> None:
    with pytest.raises(InputError, match=f"target_language '{code}' is no code of the tokenizer.*{near}"):
        prepared(checkpoint("m2m_100"), source_language="eng_Latn", target_language=code)


def test_a_language_that_nobody_told_is_asked_for(checkpoint: Checkpoint, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    folder = tmp_path / "untold"
    _, model = prepared(checkpoint("m2m_100"))
    model.save_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(checkpoint("m2m_100"), tgt_lang=None)
    tokenizer.save_pretrained(folder)
    with pytest.raises(InputError) as caught:
        prepared(folder)
    assert [problem.split(" is")[0] for problem in caught.value.problems] == [
        "task.source_language",
        "task.target_language",
    ]


@pytest.fixture(scope="module")
def multilingual(checkpoint: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Marian checkpoint that writes several languages: its vocabulary has marks for them."""
    folder = Path(shutil.copytree(checkpoint("marian"), tmp_path_factory.mktemp("marian") / "several"))
    vocab = json.loads((folder / "vocab.json").read_text())
    rarest = [piece for piece in vocab if piece.isdigit()][:2]
    for piece, code in zip(rarest, (">>deu<<", ">>fra<<"), strict=True):
        vocab[code] = vocab.pop(piece)
    (folder / "vocab.json").write_text(json.dumps(vocab))
    return folder


def test_a_text_says_the_language_where_the_vocabulary_has_marks_for_it(multilingual: Path) -> None:
    task, _ = prepared(multilingual, target_language="deu")
    (window,) = task.encode(ROW)
    assert codes_of(task.processor) == ["deu", "fra"]
    assert task.processor.convert_ids_to_tokens(window.inputs["input_ids"])[0] == ">>deu<<"


def test_a_mark_that_does_not_exist_is_told_with_the_nearest(multilingual: Path) -> None:
    with pytest.raises(
        InputError, match="target_language 'de' is no code of the tokenizer; the nearest are deu"
    ):
        prepared(multilingual, target_language="de")


def test_targets_of_a_family_with_two_vocabularies_are_in_the_second(tmp_path: Path) -> None:
    from transformers import MarianConfig, MarianMTModel, MarianTokenizer

    sizes = {}
    for side, name in (("source", "vocab.json"), ("target", "target_vocab.json")):
        pieces = [
            "</s>",
            "<unk>",
            *(["more"] if side == "target" else []),
            *sentence_pieces(tmp_path / f"{side}.spm"),
        ]
        vocab = {piece: i for i, piece in enumerate(dict.fromkeys([*pieces, "<pad>"]))}
        sizes[side] = len(vocab)
        (tmp_path / name).write_text(json.dumps(vocab))
    files = [str(tmp_path / name) for name in ("source.spm", "target.spm", "vocab.json", "target_vocab.json")]
    config = MarianConfig(
        vocab_size=sizes["source"],
        decoder_vocab_size=sizes["target"],
        share_encoder_decoder_embeddings=False,
        tie_word_embeddings=False,
        pad_token_id=sizes["source"] - 1,
        decoder_start_token_id=sizes["source"] - 1,
        eos_token_id=0,
        **SIDES,
    )
    save(tmp_path, MarianMTModel(config), MarianTokenizer(*files, separate_vocabs=True, model_max_length=64))
    task, _ = prepared(tmp_path)
    (window,) = task.encode(ROW)
    labels = task.target(ROW, window)["labels"]
    assert [task.processor.decoder[label] for label in labels[:1]] == ["\u2581great"]


def test_weights_in_a_bin_file_are_read_and_fixed_positions_need_none(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    import torch
    from safetensors.torch import load_file

    folder = Path(shutil.copytree(checkpoint("marian"), tmp_path / "bin"))
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    assert not any("embed_positions" in name for name in weights)
    torch.save(weights, folder / "pytorch_model.bin")
    said: list[str] = []
    kind = tasks.find("translation")
    found = inspect(ModelSection(name=str(folder)), kind)
    task = kind(kind.Options(max_source=40, max_target=8), load_processor(found, kind, quiet), [], found.head)
    model = load_model(found, task, said.append, attention=None, dropout=None)
    _, before = prepared(checkpoint("marian"))
    assert ["weights_only=True" in text for text in said] == [True]
    for name, value in before.state_dict().items():
        assert torch.equal(value, model.state_dict()[name])


def test_what_a_checkpoint_must_never_write_stays_forbidden(checkpoint: Checkpoint) -> None:
    task, model = prepared(checkpoint("marian"))
    assert model.generation_config.bad_words_ids == [[task.processor.pad_token_id]]
    assert model.generation_config.num_beams == 1


def test_the_logits_of_a_family_without_a_shift_of_its_own_are_those_of_its_loss(
    checkpoint: Checkpoint,
) -> None:
    import torch

    task, model = prepared(checkpoint("m2m_100", dropout=False))
    rows = [ROW, {**ROW, "source": "the plot was dull and the film was good", "target": "dull"}]
    batch = collate(encode(task, rows, targets=True).windows, pad_token_of(task.processor))
    assert not hasattr(model, "prepare_decoder_input_ids_from_labels")
    with torch.no_grad():
        assert float(task.loss(model, batch)) == pytest.approx(float(model(**batch).loss), abs=1e-6)


def pairs(form: str) -> Iterator[dict[str, Any]]:
    """Translations in one of the forms that data have."""
    for row in tiny.translations(40):
        both = {"en": row["source"], "de": row["target"]}
        yield {"translation": both} if form == "nested" else both


@pytest.mark.parametrize("form", ["nested", "columns"])
@pytest.mark.parametrize("codes", [("en", "de"), ("de", "en"), ("en_XX", "de_DE")], ids=" to ".join)
def test_languages_find_their_columns(
    form: str, codes: tuple[str, str], checkpoint: Checkpoint, tmp_path: Path
) -> None:
    data = tiny.write_jsonl(tmp_path / "rows.jsonl", pairs(form))
    file = tiny.recipe(tmp_path / "r.yaml", "translation", checkpoint("t5"), data)
    asked = [f"task.{side}_language={code}" for side, code in zip(("source", "target"), codes, strict=True)]
    recipe = load_recipe(file, asked)
    found = load(recipe.data, tasks.find("translation"), recipe.task.options, 0).columns
    inside = "translation." if form == "nested" else ""
    assert found == {role: inside + code[:2] for role, code in zip(("source", "target"), codes, strict=True)}


def test_a_run_from_a_column_of_translations_stores_scores_signatures_and_predicts(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    data = tiny.write_jsonl(tmp_path / "rows.jsonl", pairs("nested"))
    file = tiny.recipe(tmp_path / "r.yaml", "translation", checkpoint("m2m_100"), data, steps=2)
    codes = ["task.source_language=deu_Latn", "task.target_language=eng_Latn", "task.chrf_pp=true"]
    columns = ["data.columns.source=translation.de", "data.columns.target=translation.en"]
    run = workflow.finetune(file, *codes, *columns, output=tmp_path / "run")
    stored = json.loads((run.path / "signatures.json").read_text())["validation"]
    assert {"chrf_pp", "bleu", "hit_limit", "copy_chrf_pp", "copy_bleu"} == set(run.metrics()["validation"])
    assert stored["chrf_pp"].startswith("nrefs:1|case:mixed|eff:yes|nc:6|nw:2|space:no|version:")
    given = tiny.write_jsonl(tmp_path / "new.jsonl", [{"source": ROW["source"]}])
    (answer,) = workflow.predict(run.path, str(given))
    assert set(answer["prediction"]) == {"translation", "cut"}


def test_columns_that_could_be_either_side_are_asked_for(checkpoint: Checkpoint, tmp_path: Path) -> None:
    data = tiny.write_jsonl(tmp_path / "rows.jsonl", pairs("columns"))
    file = tiny.recipe(tmp_path / "r.yaml", "translation", checkpoint("t5"), data)
    with pytest.raises(
        InputError, match="no column for source.*its columns are en, de; name it with data.columns"
    ):
        workflow.finetune(file, output=tmp_path / "run")


def test_a_tokenizer_without_a_fast_form_is_told_its_languages(tmp_path: Path) -> None:
    from transformers import M2M100Config, M2M100ForConditionalGeneration, M2M100Tokenizer

    pieces = ["<s>", "<pad>", "</s>", "<unk>", *sentence_pieces(tmp_path / "sentencepiece.bpe.model")]
    vocab = {piece: i for i, piece in enumerate(dict.fromkeys(pieces))}
    (tmp_path / "vocab.json").write_text(json.dumps(vocab))
    files = [str(tmp_path / name) for name in ("vocab.json", "sentencepiece.bpe.model")]
    tokenizer = M2M100Tokenizer(*files, num_madeup_words=0)
    model = M2M100ForConditionalGeneration(M2M100Config(vocab_size=len(tokenizer), **SIDES))
    save(tmp_path, model, tokenizer)
    task, model = prepared(tmp_path, source_language="de", target_language="en")
    (window,) = task.encode(ROW)
    begun, *words, ended = window.inputs["input_ids"]
    token = task.processor.convert_ids_to_tokens
    assert (token(begun), token(ended)) == ("__de__", "</s>")
    assert task.processor.decode(words) == ROW["source"]
    assert token(model.generation_config.forced_bos_token_id) == "__en__"
    assert not set(task.processor.all_special_ids) & set(task.plain("good __de__ </s>")) - {vocab["<unk>"]}
