"""Adapters: what they train, what a run leaves of them, and that it answers as the model in training did."""

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from tests import tiny
from tests.building import difference, gradients, make_fitting, make_task, quiet
from tunekit import tasks, workflow
from tunekit.console import out
from tunekit.doctor.invariance import compare_cuts
from tunekit.errors import EnvironmentFailure, InputError, TunekitError
from tunekit.evaluation import predict
from tunekit.fast.compiled import layers_of
from tunekit.models.adapted import load_adapted, merged, read_config
from tunekit.models.adapters import adapt, count_weights, find_places, trainable
from tunekit.models.checkpoint import inspect
from tunekit.models.finetuned import load_task, load_weights
from tunekit.models.freezing import freeze
from tunekit.models.load import load_model, save_finetuned
from tunekit.models.several import load_several
from tunekit.optim import make_optimizer
from tunekit.prepare import check_pushable
from tunekit.prepare.trained import hollow
from tunekit.proof import Wanted, same, verify
from tunekit.recipe import AdapterSection, ModelSection, Recipe, TrainSection, load
from tunekit.run import Run
from tunekit.tasks._plain import adapter_code

TASK = "text-classification"
WRITES, PICTURES = "summarization", "image-classification"
MERGING = ("lora", "dora", "rslora", "ia3")
CELLS = [  # each way that layers, heads and embeddings can be
    (TASK, "bert"),  # a pooler that no checkpoint has
    (TASK, "gpt2"),  # Conv1D, tied embeddings
    (TASK, "bart"),  # a head of several layers
    ("question-answering", "t5"),  # a head beside a body that is no module of its own
    ("token-classification", "qwen3"),  # groups of heads
    ("image-classification", "convnext"),  # no attention
]
Make = Callable[..., Path]


def adapted(task: str, family: Path, section: dict[str, Any]) -> tuple[Any, Any, Any]:
    """A task, a tiny model with an adapter that no longer does nothing, and peft's view of it."""
    torch.manual_seed(0)
    made = make_task(task, family, [] if task == "question-answering" else ["negative", "positive"])
    checkpoint = inspect(ModelSection(name=str(family)), type(made))
    made.head = checkpoint.head
    model = load_model(checkpoint, made, quiet, attention=None, dropout=0.0)
    wrapped = adapt(model, AdapterSection.model_validate(section), made, checkpoint)
    with torch.no_grad():
        for parameter in wrapped.parameters():
            if parameter.requires_grad:
                parameter += 0.1 * torch.randn_like(parameter)
    return made, trainable(wrapped).eval(), wrapped


def forward(task: Any, model: Any) -> Any:
    """What a model makes of some input."""
    torch.manual_seed(1)
    with torch.inference_mode():
        if "image" in type(task).inputs:
            return model(pixel_values=torch.rand(2, 3, 16, 16))[0]
        words = torch.randint(5, 40, (2, 9))
        words[:, -1] = 2  # where some families look for the end
        return model(input_ids=words, attention_mask=torch.ones(2, 9, dtype=int))[0]


@pytest.mark.parametrize("kind", MERGING)
@pytest.mark.parametrize(("task", "family"), CELLS, ids=lambda value: value)
def test_a_merged_adapter_answers_as_beside_the_weights(
    task: str, family: str, kind: str, checkpoint: Make, tmp_path: Path
) -> None:
    from tunekit.models.adapters import save_adapter

    made, model, wrapped = adapted(task, checkpoint(family, dropout=False), {"kind": kind})
    wanted = forward(made, model)
    save_adapter(tmp_path, made, task, wrapped, {})
    loaded = trainable(load_adapted(tmp_path, made))
    assert torch.equal(forward(made, loaded), wanted)
    apart = (forward(made, merged(tmp_path, made).eval()) - wanted).norm() / wanted.norm()
    assert apart < 1e-5


@pytest.mark.parametrize(("task", "family"), tiny.cells(), ids=lambda value: value)
def test_every_layer_that_gets_an_adapter_learns(
    task: str, family: str, checkpoint: Make, data: Callable[[str], Path], tmp_path: Path
) -> None:
    fitting = make_fitting(tmp_path, task, checkpoint(family, dropout=False), data(task), "adapter=lora")
    found = gradients(fitting.optimization, fitting.steps)
    named = dict(fitting.optimization.model.named_parameters())
    assert found.keys() == {name for name, each in named.items() if each.requires_grad}
    moved = [name for name, each in found.items() if "lora_B" in name and each.abs().max() > 0]
    assert len(moved) == sum("lora_B" in name for name in named)


@pytest.mark.parametrize(
    ("family", "section"),
    [("bert", {"kind": "lora"}), ("gpt2", {"kind": "dora"}), ("bert", {"kind": "ia3"})],
    ids=str,
)
def test_gradients_of_an_adapter_do_not_depend_on_the_cuts(
    family: str, section: dict[str, str], checkpoint: Make, data: Callable[[str], Path], tmp_path: Path
) -> None:
    model = checkpoint(family, dropout=False)
    fitting = make_fitting(tmp_path, TASK, model, data(TASK), f"adapter={section['kind']}", batch_size=24)
    assert "unpadded" in fitting.optimization.fast.names
    fitting.steps.most = 24
    whole = gradients(fitting.optimization, fitting.steps)
    fitting.steps.most = 5
    assert difference(whole, gradients(fitting.optimization, fitting.steps)) < 1e-6


def test_the_doctor_looks_at_steps_of_an_adapter(
    checkpoint: Make, data: Callable[[str], Path], tmp_path: Path
) -> None:
    file = tiny.recipe(tmp_path / "tiny.yaml", TASK, checkpoint("bert"), data(TASK))
    cuts = compare_cuts(load(file, ["adapter=lora"]))
    assert cuts.trainer and not cuts.obstacle
    assert max(cut.difference for cut in cuts.ours) < 1e-6


@pytest.mark.parametrize("overrides", [[], ["adapter=lora"], ["train.unfreeze=1"]], ids=str)
@pytest.mark.parametrize("family", ["bert", "gpt2", "t5"])
def test_recomputed_activations_give_the_same_gradients(
    family: str, overrides: list[str], checkpoint: Make, data: Callable[[str], Path], tmp_path: Path
) -> None:
    found = []
    for again in ("false", "true"):
        (tmp_path / again).mkdir()
        more = [*overrides, f"train.gradient_checkpointing={again}"]
        fitting = make_fitting(tmp_path / again, TASK, checkpoint(family), data(TASK), *more)
        torch.manual_seed(0)  # of dropout, which is drawn again as it was
        found.append(gradients(fitting.optimization, fitting.steps))
    assert difference(*found) == 0


@pytest.fixture(scope="module")
def finished(
    checkpoint: Make, data: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Run]:
    """A maker of finished runs with an adapter, each made once."""
    made: dict[str, Run] = {}

    def make(kind: str = "lora", task: str = TASK, family: str = "bert", **train: Any) -> Run:
        key = f"{kind}-{task}-{family}-{train}"
        if key not in made:
            folder = tmp_path_factory.mktemp("finished")
            length = train if "steps" in train else {"epochs": 1}
            file = tiny.recipe(folder / "tiny.yaml", task, checkpoint(family), data(task), **length)
            made[key] = workflow.finetune(file, f"adapter={kind}", output=folder / "run")
        return made[key]

    return make


@pytest.fixture(scope="module")
def writer(checkpoint: Make, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any, Any]:
    """A saved model that writes, its task, and the model itself."""
    from transformers import AutoModelForCausalLM

    folder, task = checkpoint("llama", dropout=False), "text-generation"
    made = make_task(task, folder, [], max_length=32, max_new_tokens=4)
    made.given = ["text"]
    model = made.prepare_model(AutoModelForCausalLM.from_pretrained(folder).eval())
    out_of = tmp_path_factory.mktemp("writer")
    save_finetuned(out_of, made, task, model)
    return out_of, made, model


WRITTEN: list[dict[str, Any]] = [
    {"id": n, "text": text} for n, text in enumerate(["the film was", "Ada went"])
]


def test_a_merged_model_may_write_something_else_at_a_tie(writer: tuple[Path, Any, Any]) -> None:
    folder, task, model = writer
    wanted = Wanted.of(task, model, WRITTEN, merges=True)
    forked = [{**answer, "text": "at another fork"} for answer in wanted.answers]
    verify(folder, WRITTEN, Wanted(forked, wanted.losses))
    with pytest.raises(TunekitError, match="answers row 0 with .*at another fork"):
        verify(folder, WRITTEN, Wanted(forked))  # of a model that is saved as it is


def test_a_merged_model_that_is_another_one_is_refused(writer: tuple[Path, Any, Any]) -> None:
    folder, task, model = writer
    other = copy.deepcopy(model)
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    wanted = Wanted.of(task, other, WRITTEN, merges=True)
    with pytest.raises(TunekitError, match="answers row 0 with"):
        verify(folder, WRITTEN, wanted)


def rows_of(task: str) -> list[dict[str, Any]]:
    """Rows to be answered."""
    return tiny.DATA[task](6)


def test_a_run_leaves_the_adapter_and_a_model_it_is_merged_into(finished: Callable[..., Run]) -> None:
    run = finished()
    assert {path.name for path in run.adapter.iterdir()} == {
        "adapter_config.json",
        "adapter_model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
        "tunekit.json",
    }
    with safe_open(run.model / "model.safetensors", "pt") as weights:
        assert not [key for key in weights.keys() if "lora" in key or "base_layer" in key]  # noqa: SIM118
    assert not (run.model / "adapter_config.json").exists()


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # of peft itself
def test_model_adapter_and_plain_transformers_answer_alike(finished: Callable[..., Run]) -> None:
    from peft import PeftModel
    from transformers import AutoModelForSequenceClassification

    run = finished()
    found = []
    for folder in (run.model, run.adapter):
        _, task = load_task(folder)
        found.append(predict(task, load_weights(folder, task), rows_of(TASK)))
    config = json.loads((run.adapter / "adapter_config.json").read_text())
    base = AutoModelForSequenceClassification.from_pretrained(config["base_model_name_or_path"], num_labels=2)
    found.append(predict(task, PeftModel.from_pretrained(base, str(run.adapter)).eval(), rows_of(TASK)))
    plain = AutoModelForSequenceClassification.from_pretrained(run.model).eval()
    found.append(predict(task, plain, rows_of(TASK)))
    assert all(same(found[0], each) for each in found[1:])


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # of peft itself
def test_the_card_of_an_adapter_has_code_that_loads_it(finished: Callable[..., Run]) -> None:
    run = finished()
    _, task = load_task(run.adapter)
    base = json.loads((run.adapter / "adapter_config.json").read_text())["base_model_name_or_path"]
    names: dict[str, Any] = {}
    exec(adapter_code(task, str(run.adapter), base, None), names)
    wanted = predict(task, load_weights(run.model, task), rows_of(TASK))
    assert same(wanted, predict(task, names["network"], rows_of(TASK)))
    assert names["network"].config.id2label == {0: "negative", 1: "positive"}


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # of peft itself
def test_the_code_of_an_adapter_loads_a_base_with_a_head_of_another_size(
    finished: Callable[..., Run], checkpoint: Make, tmp_path: Path
) -> None:
    from transformers import AutoModelForSequenceClassification

    base = AutoModelForSequenceClassification.from_pretrained(checkpoint("bert"), num_labels=5)
    base.save_pretrained(tmp_path)
    _, task = load_task(finished().adapter)
    names: dict[str, Any] = {}
    exec(adapter_code(task, str(finished().adapter), str(tmp_path), None), names)
    assert names["network"].config.num_labels == 2


def test_checkpoints_hold_only_what_is_trained(finished: Callable[..., Run]) -> None:
    run = finished()
    (saved,) = run.checkpoints.iterdir()
    names = load_file(saved / "model.safetensors").keys()
    assert names and all("lora_" in n or "classifier" in n or "pooler" in n for n in names)
    assert len(load_file(saved / "optimizer.safetensors")) == 3 * len(names)


@pytest.mark.parametrize(("kind", "family"), [("prompt", "t5"), ("prefix", "bart")])
def test_virtual_tokens_stay_outside_the_weights(
    kind: str, family: str, finished: Callable[..., Run]
) -> None:
    run = finished(kind, "summarization", family, steps=2)
    assert not run.model.exists()
    rows = tiny.write_jsonl(run.path / "rows.jsonl", tiny.documents(2))
    assert len(list(workflow.predict(run.path, str(rows)))) == 2
    assert "PeftModel.from_pretrained" in (run.path / "README.md").read_text()


def test_virtual_tokens_are_refused_where_nothing_is_written(
    checkpoint: Make, data: Callable[[str], Path], tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="adapter.kind prompt is for encoder-decoders that write"):
        make_fitting(tmp_path, TASK, checkpoint("bert"), data(TASK), "adapter=prompt")


def test_several_adapters_share_one_checkpoint(
    finished: Callable[..., Run], checkpoint: Make, tmp_path: Path
) -> None:
    stars = tmp_path / "stars"
    for split in ("train", "validation", "test"):
        rows = [{"text": row["text"], "label": "abc"[i % 3]} for i, row in enumerate(tiny.reviews(12))]
        tiny.write_jsonl(stars / f"{split}.jsonl", rows)
    file = tiny.recipe(tmp_path / "stars.yaml", TASK, checkpoint("bert"), stars, steps=2)
    other = workflow.finetune(file, "adapter=ia3", output=tmp_path / "other")
    names = [str(finished().path), str(other.path), str(finished().adapter)]
    several = load_several(names)
    key = "bert.encoder.layer.0.attention.self.query.base_layer.weight"
    assert len({each.model.get_parameter(key).data_ptr() for each in several}) == 1
    for each in several:
        alone = load_weights(each.folder, each.task)
        rows = rows_of(TASK)
        assert predict(each.task, each.model, rows) == predict(each.task, alone, rows)
    rows = tiny.write_jsonl(tmp_path / "rows.jsonl", tiny.reviews(2))
    answers = list(workflow.predict(names[0], str(rows), adapters=names[1:2]))
    assert [(each["id"], each["adapter"]) for each in answers] == [
        (row, name) for row in ("r0", "r1") for name in names[:2]
    ]
    target, found = workflow.evaluate(names[0], output=tmp_path / "scores", adapters=names[1:2])
    (beside,) = (target / "evaluations").glob("1-other-*")
    assert list(found) == names[:2] and (beside / "metrics.json").is_file()


def test_adapters_for_different_checkpoints_are_refused(
    finished: Callable[..., Run], checkpoint: Make
) -> None:
    names = [str(finished().path), str(finished(family="gpt2", steps=1).path)]
    with pytest.raises(InputError, match="ask them one after the other"):
        load_several(names)


def test_an_adapter_whose_checkpoint_has_changed_is_refused(
    finished: Callable[..., Run], tmp_path: Path
) -> None:
    import shutil

    folder = shutil.copytree(finished().adapter, tmp_path / "adapter")
    facts = json.loads((folder / "tunekit.json").read_text())
    facts["base"]["sha256"] = {"model.safetensors": "0" * 64}
    (folder / "tunekit.json").write_text(json.dumps(facts))
    _, task = load_task(folder)
    with pytest.raises(InputError, match="are not those that the adapter"):
        load_weights(folder, task)


SECTIONS = [
    ({"kind": "lora"}, {"rank": 16, "alpha": 32.0, "dropout": 0.0, "tokens": None}),
    ({"kind": "rslora", "rank": 4}, {"rank": 4, "alpha": 4.0}),
    ({"kind": "ia3"}, {"rank": None, "alpha": None}),
    ({"kind": "prefix"}, {"tokens": 20, "rank": None}),
]


@pytest.mark.parametrize(("given", "wanted"), SECTIONS, ids=lambda value: str(value.get("kind")))
def test_a_kind_has_defaults_for_its_own_keys(given: dict[str, Any], wanted: dict[str, Any]) -> None:
    section = AdapterSection.model_validate(given)
    assert {key: getattr(section, key) for key in wanted} == wanted


def settings(tmp_path: Path, *overrides: str) -> Recipe:
    """A tiny recipe with overrides."""
    file = tmp_path / "tiny.yaml"
    file.write_text("task: text-classification\nmodel: bert\ndata: rows\n")
    return load(file, overrides)


@pytest.mark.parametrize(
    ("overrides", "problem"),
    [
        (["adapter=ia3", "adapter.rank=4"], "ia3 takes no rank, only targets, bits; remove rank"),
        (["adapter=lora", "adapter.tokens=4"], "lora takes no tokens"),
        (["adapter=lore"], "did you mean 'lora'?"),
        (["adapter=lora", "train.unfreeze=2"], "remove train.unfreeze or adapter"),
        (["train.unfreeze=0"], "give a number of last layers, head, or a list of names"),
        (["hub.adapter=true"], "but no adapter is trained"),
        (["adapter.bits=5", "adapter.kind=lora"], "adapter.bits is 5"),
    ],
    ids=str,
)
def test_keys_that_do_not_go_together_are_refused(overrides: list[str], problem: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        settings(tmp_path, *overrides)
    assert problem in str(caught.value)


def test_an_adapter_has_a_learning_rate_of_its_own(tmp_path: Path) -> None:
    assert settings(tmp_path).train.learning_rate == 5e-5
    assert settings(tmp_path, "adapter=lora").train.learning_rate == 5e-4
    assert settings(tmp_path, "adapter=lora", "train.learning_rate=1e-4").train.learning_rate == 1e-4


def test_an_adapter_on_the_line_drops_the_rate_of_the_recipe(tmp_path: Path) -> None:
    said: list[str] = []
    recipe = load("sentiment", ["adapter=lora"], said.append)
    assert recipe.train.learning_rate == 5e-4
    assert said == [
        "adapter=lora drops train.learning_rate of the recipe, which belong to the former way of training"
    ]


@pytest.mark.parametrize(
    ("override", "alpha"), [("adapter=rslora", 8.0), ("adapter.rank=64", 128.0), ("adapter=ia3", None)]
)
def test_another_kind_or_rank_drops_the_numbers_of_the_former(
    override: str, alpha: float | None, tmp_path: Path
) -> None:
    resolved = tmp_path / "resolved.yaml"
    resolved.write_text(settings(tmp_path, "adapter=lora").to_yaml())
    adapter = load(resolved, [override]).adapter
    assert adapter is not None and adapter.alpha == alpha


def test_an_adapter_of_a_recipe_can_be_switched_off(tmp_path: Path) -> None:
    file = tmp_path / "lora.yaml"
    file.write_text("task: text-classification\nmodel: bert\ndata: rows\nadapter: lora\n")
    assert load(file).adapter is not None
    assert load(file, ["adapter=null"]).adapter is None


@pytest.mark.parametrize(
    ("overrides", "problem"),
    [
        (["adapter=lora", "adapter.targets=[query, valu]"], "did you mean 'value'?"),
        (["train.unfreeze=3"], "the model has 2 layers"),
        (["train.unfreeze=[poolr]"], "did you mean 'pooler'?"),
        (["train.unfreeze=[word_embeddings]"], "has no weights but those of embeddings"),
    ],
    ids=str,
)
def test_names_that_the_model_does_not_have_are_refused(
    overrides: list[str], problem: str, checkpoint: Make, data: Callable[[str], Path], tmp_path: Path
) -> None:
    with pytest.raises(InputError) as caught:
        make_fitting(tmp_path, TASK, checkpoint("bert"), data(TASK), *overrides)
    assert problem in str(caught.value)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize(
    "overrides", [["adapter.kind=lora", "adapter.bits=4"], ["train.optimizer=adamw-8bit"]], ids=str
)
def test_bits_are_refused_without_a_gpu(
    overrides: list[str], checkpoint: Make, data: Callable[[str], Path], tmp_path: Path
) -> None:
    with pytest.raises(EnvironmentFailure, match="needs a GPU of NVIDIA, and there is none here"):
        make_fitting(tmp_path, TASK, checkpoint("bert"), data(TASK), *overrides)


@pytest.mark.parametrize("kind", MERGING)
@pytest.mark.parametrize("family", ["bert", "gpt2", "qwen3"])
def test_weights_are_counted_before_they_are_made(family: str, kind: str, checkpoint: Make) -> None:
    plain = load_plain(checkpoint(family))
    counted = count_weights(plain, AdapterSection.model_validate({"kind": kind}))
    _, model, _ = adapted(TASK, checkpoint(family), {"kind": kind})
    assert counted == sum(p.numel() for p in model.parameters() if p.requires_grad)


def test_targets_are_layers_by_name_or_pattern(checkpoint: Make) -> None:
    section = {"kind": "lora", "targets": ["query", "*.0.output.dense"]}
    _, _, wrapped = adapted(TASK, checkpoint("bert"), section)
    layers = {name.split("lora_A")[0] for name, _ in wrapped.named_parameters() if "lora_A" in name}
    assert len(layers) == 3


def test_mlps_end_in_layers_that_lead_back(checkpoint: Make) -> None:
    places = find_places(load_plain(checkpoint("gpt2")), AdapterSection(kind="ia3"))
    assert places.inner == [f"transformer.h.{layer}.mlp.c_proj" for layer in range(2)]
    assert places.transposed and places.whole == ["score"]


def load_plain(folder: Path) -> Any:
    """A tiny model with nothing added."""
    task = make_task(TASK, folder, ["negative", "positive"])
    return load_model(
        inspect(ModelSection(name=str(folder)), type(task)), task, quiet, attention=None, dropout=None
    )


@pytest.mark.parametrize(
    ("unfreeze", "trained"),
    [
        ("1", {"encoder.layer.1", "pooler", "classifier"}),
        ("head", {"pooler", "classifier"}),
        ("[encoder.layer.0]", {"encoder.layer.0", "pooler", "classifier"}),
    ],
)
def test_only_unfrozen_layers_and_the_head_are_trained(
    unfreeze: str, trained: set[str], checkpoint: Make, data: Callable[[str], Path], tmp_path: Path
) -> None:
    model = checkpoint("bert")
    fitting = make_fitting(tmp_path, TASK, model, data(TASK), f"train.unfreeze={unfreeze}")
    named = fitting.optimization.model.named_parameters()
    found = {name.removeprefix("bert.") for name, each in named if each.requires_grad}
    assert all(any(name.startswith(part) for part in trained) for name in found)
    assert all(any(name.startswith(part) for name in found) for part in trained)
    kept = {id(p) for group in fitting.optimization.optimizer.param_groups for p in group["params"]}
    assert len(kept) == len(found)


def test_embeddings_stay_frozen_with_a_head_that_shares_them(
    checkpoint: Make, data: Callable[[str], Path], tmp_path: Path
) -> None:
    model = checkpoint("gpt2")
    fitting = make_fitting(
        tmp_path, "summarization", model, data("summarization"), "train.unfreeze=1", max_grad_norm=1.0
    )
    network = fitting.optimization.model
    assert not network.get_output_embeddings().weight.requires_grad
    assert network.transformer.ln_f.weight.requires_grad


def test_a_head_that_shares_the_weights_of_embeddings_cannot_be_all_that_is_trained(
    checkpoint: Make, data: Callable[[str], Path], tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="nothing is left to train"):
        make_fitting(tmp_path, WRITES, checkpoint("gpt2"), data(WRITES), "train.unfreeze=head")


def test_a_norm_of_embeddings_does_not_follow_the_layers(checkpoint: Make) -> None:
    model = hollow(inspect(ModelSection(name=str(checkpoint("bart"))), tasks.find(WRITES)))
    freeze(model, 1, layers_of(model))
    trained = {name for name, each in model.named_parameters() if each.requires_grad}
    assert trained and all(name.startswith("model.decoder.layers.1.") for name in trained)


@pytest.mark.parametrize("overrides", ["adapter=lora", "train.unfreeze=head"])
def test_frozen_norms_keep_the_statistics_of_the_checkpoint(
    overrides: str, checkpoint: Make, data: Callable[[str], Path], tmp_path: Path
) -> None:
    fitting = make_fitting(tmp_path, PICTURES, checkpoint("mobilevit"), data(PICTURES), overrides)
    network = fitting.optimization.model
    before = {name: each.clone() for name, each in network.named_buffers() if "running" in name}
    gradients(fitting.optimization, fitting.steps)
    after = dict(network.named_buffers())
    assert before and all(torch.equal(after[name].float(), each) for name, each in before.items())


def test_a_model_without_layers_for_an_adapter_is_refused(checkpoint: Make) -> None:
    model = hollow(inspect(ModelSection(name=str(checkpoint("resnet"))), tasks.find(PICTURES)))
    with pytest.raises(InputError, match="ResNetForImageClassification has none; remove adapter"):
        count_weights(model, AdapterSection(kind="lora"))


def test_an_adapter_names_the_whole_path_of_its_checkpoint(
    checkpoint: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = checkpoint("bert")
    monkeypatch.chdir(folder.parent)
    _, _, wrapped = adapted(TASK, Path(folder.name), {"kind": "lora"})
    assert wrapped.active_peft_config.base_model_name_or_path == str(folder)


@pytest.mark.parametrize(
    ("overrides", "advice"),
    [
        (["adapter=lora", "hub.adapter=true"], "push the merged model"),
        (["task=summarization", "adapter=prompt"], "such as lora"),
    ],
    ids=str,
)
def test_an_adapter_that_nobody_could_load_is_not_trained_to_be_pushed(
    overrides: list[str], advice: str, checkpoint: Make, tmp_path: Path
) -> None:
    file = tiny.recipe(tmp_path / "tiny.yaml", TASK, checkpoint("bert"), tmp_path)
    with pytest.raises(InputError, match=f"is a folder here, which nobody else has; .*{advice}"):
        check_pushable(load(file, ["hub.repo=user/name", *overrides]))


def test_vectors_of_ia3_do_not_shrink(checkpoint: Make) -> None:
    _, model, _ = adapted(TASK, checkpoint("bert"), {"kind": "ia3"})
    decaying, _ = make_optimizer(TrainSection(), model).param_groups
    names = {id(each): name for name, each in model.named_parameters()}
    assert not [names[id(each)] for each in decaying["params"] if "ia3" in names[id(each)]]


CONFIGS = [
    ({"megatron_config": {"a": 1}}, "sets megatron_config"),
    ({"auto_mapping": {"parent_library": "os", "base_model_class": "system"}}, "sets auto_mapping"),
    ({"megatron_core": "os"}, "sets megatron_core"),
    ({"loftq_config": {"bits": 4}}, "sets loftq_config"),
    ({"target_modules": "(a+)+$"}, "target_modules"),
    ({"peft_type": "POLY"}, "peft_type"),
    ({"r": 10**9}, "r: "),
    ({"task_type": "__import__"}, "task_type"),
    ({"tokenizer_kwargs": {"trust_remote_code": True}}, "sets tokenizer_kwargs"),
]


@pytest.mark.parametrize(("changes", "problem"), CONFIGS, ids=lambda value: str(value)[:40])
def test_an_adapter_cannot_name_code(
    changes: dict[str, Any], problem: str, finished: Callable[..., Run], tmp_path: Path
) -> None:
    config = json.loads((finished().adapter / "adapter_config.json").read_text())
    (tmp_path / "adapter_config.json").write_text(json.dumps(config | changes))
    with pytest.raises(InputError) as caught:
        read_config(tmp_path)
    assert problem in str(caught.value)


def test_what_a_run_wrote_is_read_again(finished: Callable[..., Run]) -> None:
    config = read_config(finished().adapter)
    assert (config.r, config.lora_alpha, config.peft_type) == (16, 32.0, "LORA")


def test_a_continued_run_refuses_other_frozen_weights(
    checkpoint: Make, data: Callable[[str], Path], tmp_path: Path
) -> None:
    import shutil

    model = shutil.copytree(checkpoint("bert"), tmp_path / "bert")
    file = tiny.recipe(tmp_path / "tiny.yaml", TASK, model, data(TASK), steps=2)
    run = workflow.finetune(file, "adapter=lora", output=tmp_path / "run")
    run.record(status="interrupted")
    save_changed(model)
    with pytest.raises(InputError, match="are not those that run .* began from"):
        workflow.finetune(file, "adapter=lora", output=tmp_path / "run")


def save_changed(folder: Path) -> None:
    """Change one weight of a checkpoint."""
    from safetensors.torch import save_file

    tensors = load_file(folder / "model.safetensors")
    next(iter(tensors.values()))[0] += 1
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


@pytest.fixture(autouse=True)
def silent() -> Iterator[None]:
    """Say nothing of what is trained."""
    out.quiet = True
    yield


def test_save_finetuned_is_what_full_fine_tuning_writes(finished: Callable[..., Run], tmp_path: Path) -> None:
    run = finished()
    _, task = load_task(run.model)
    save_finetuned(tmp_path, task, TASK, load_weights(run.model, task))
    whole = {path.name for path in tmp_path.iterdir()}
    assert whole == {path.name for path in run.model.iterdir()}
