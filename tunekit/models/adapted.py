"""An adapter loaded onto the checkpoint that it was made for. Its JSON is input, and names no code."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tunekit.errors import InputError, cut, listing
from tunekit.models.adapters import CONFIG, NAME, WEIGHTS, library, wrap
from tunekit.models.checkpoint import Checkpoint, inspect
from tunekit.models.load import load_model
from tunekit.models.weights import damage, weight_files
from tunekit.network import ID
from tunekit.recipe import ModelSection
from tunekit.tasks.base import Task

Size = Annotated[int, Field(ge=1, le=65536)]
Names = Annotated[list[str], Field(max_length=65536)]


class Given(BaseModel):
    """What is taken from an adapter's configuration; everything else must be as it is by default."""

    model_config = ConfigDict(extra="allow", strict=True)

    peft_type: Literal["LORA", "IA3", "PROMPT_TUNING", "PREFIX_TUNING"]
    task_type: Literal["SEQ_CLS", "TOKEN_CLS", "QUESTION_ANS", "CAUSAL_LM", "SEQ_2_SEQ_LM"] | None = None
    base_model_name_or_path: str
    revision: str | None = None
    target_modules: Names | None = None  # a text would be a pattern, which may take for ever
    modules_to_save: Names | None = None
    feedforward_modules: Names | None = None
    fan_in_fan_out: bool = False
    r: Size | None = None
    lora_alpha: float | int = 8
    lora_dropout: float | int = 0.0
    use_dora: bool = False
    use_rslora: bool = False
    num_virtual_tokens: Size | None = None
    token_dim: Size | None = None
    num_transformer_submodules: Size | None = None
    num_attention_heads: Size | None = None
    num_layers: Size | None = None
    encoder_hidden_size: Size | None = None


IGNORED = {  # of what peft writes: how training began, and who wrote it
    *("inference_mode", "peft_version", "prompt_tuning_init", "init_lora_weights", "init_ia3_weights"),
    *("init_weights", "tokenizer_name_or_path", "prompt_tuning_init_text", "layer_replication"),
}


def is_adapter(folder: Path) -> bool:
    """Whether a folder holds an adapter alone; beside whole weights it is refused."""
    return (folder / CONFIG).is_file() and not (folder / "config.json").exists()


def read_given(folder: Path) -> Given:
    """The configuration of an adapter.

    Raises:
        InputError: it is damaged, or asks for more than layers with numbers of their own.
    """
    try:
        given = Given.model_validate_json((folder / CONFIG).read_bytes())
    except (OSError, ValidationError, ValueError) as error:
        reason = error.errors()[0] if isinstance(error, ValidationError) else None
        said = f"{'.'.join(map(str, reason['loc']))}: {reason['msg']}" if reason else cut(str(error))
        raise InputError(
            f"{folder / CONFIG} describes no adapter that is read here ({said}); "
            "give one of kind lora, dora, rslora, ia3, prompt or prefix"
        ) from None
    usual = config_class(given)().to_dict()
    more = [
        key
        for key, value in (given.model_extra or {}).items()
        if key not in IGNORED and value and value != usual.get(key)
    ]
    if more:
        raise InputError(
            f"{folder / CONFIG} sets {listing(more)}, which no adapter may here: it could name code; "
            "give an adapter without it"
        )
    return given


def config_class(given: Given) -> Any:
    """The class that peft has for a kind of adapter."""
    peft = library()
    return {
        "LORA": peft.LoraConfig,
        "IA3": peft.IA3Config,
        "PROMPT_TUNING": peft.PromptTuningConfig,
        "PREFIX_TUNING": peft.PrefixTuningConfig,
    }[given.peft_type]


def read_config(folder: Path) -> Any:
    """The configuration of an adapter as peft has it, of nothing but what is taken from it.

    Raises:
        InputError: see `read_given`.
    """
    given = read_given(folder)
    kind = config_class(given)
    known = kind().to_dict()
    values = given.model_dump(include=set(Given.model_fields) & set(known) - {"peft_type"})
    return kind(**{key: value for key, value in values.items() if value is not None})


def base_of(folder: Path, kind: type[Task]) -> Checkpoint:
    """The checkpoint that an adapter was made for.

    Raises:
        InputError: it is not there, is another one now, or is a path that a stranger named.
        EnvironmentFailure: it cannot be fetched.
    """
    given = read_given(folder)
    name = given.base_model_name_or_path
    if folder.parent.name == "snapshots" and (not ID.fullmatch(name) or os.path.exists(name)):
        raise InputError(
            f"the adapter in {folder} was made for {cut(name)!r}, which is no model of the Hub, or is also "
            "a path here; give a model with whole weights"
        )
    try:
        return inspect(ModelSection(name=name, revision=given.revision), kind)
    except InputError as error:
        raise InputError(
            [f"{text} (the adapter in {folder} was made for it)" for text in error.problems]
        ) from None


def check_base(folder: Path, checkpoint: Checkpoint) -> None:
    """Refuse a checkpoint whose weights are not those that an adapter was made for.

    Raises:
        InputError: they are others.
    """
    recorded = json.loads((folder / "tunekit.json").read_text(encoding="utf-8")).get("base") or {}
    if recorded.get("commit") and recorded["commit"] == checkpoint.commit:
        return
    wanted = recorded.get("sha256")
    if wanted is not None and wanted != fingerprints(checkpoint):
        raise InputError(
            f"the weights of {checkpoint.name!r} are not those that the adapter in {folder} was made for; "
            "give the model's folder as it was, or train again"
        )


def fingerprints(checkpoint: Checkpoint) -> dict[str, str]:
    """The sha256 of each file of a checkpoint's weights."""
    found = {}
    for path in weight_files(checkpoint.folder):
        with path.open("rb") as file:
            found[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def load_adapted(folder: Path, task: Task, base: Any = None) -> Any:
    """The model of an adapter's folder in fp32, as peft sees it; `base` is its checkpoint, loaded already.

    Raises:
        InputError: the adapter is damaged, or its checkpoint is another one now.
    """
    model = base if base is not None else load_base(folder, task)
    wrapped = wrap(model, read_config(folder))
    place_weights(wrapped, read_tensors(folder), folder)
    return wrapped.eval()


def load_base(folder: Path, task: Task) -> Any:
    """The checkpoint of an adapter in fp32, with a head for the task whose weights the adapter has."""
    checkpoint = base_of(folder, type(task))
    checkpoint.complete()
    check_base(folder, checkpoint)
    return load_model(checkpoint, task, lambda _: None, attention=None, dropout=None)


def read_tensors(folder: Path) -> dict[str, Any]:
    """The weights of an adapter.

    Raises:
        InputError: they are missing or damaged.
    """
    from safetensors.torch import load_file

    file = folder / WEIGHTS
    wrong = damage(file) if file.is_file() else "is missing"
    if wrong:
        raise InputError(f"{file} {wrong}; copy the adapter again")
    tensors: dict[str, Any] = load_file(file)
    return tensors


def place_weights(wrapped: Any, tensors: Mapping[str, Any], folder: Path) -> None:
    """Give an adapter its weights.

    Raises:
        InputError: they are not all there, or of other shapes.
    """
    own = library().get_peft_model_state_dict(wrapped, adapter_name=NAME, save_embedding_layers=False)
    shapes = {key: tuple(tensor.shape) for key, tensor in own.items()}
    given = {key: tuple(tensor.shape) for key, tensor in tensors.items()}
    wrong = sorted(key for key in shapes | given if shapes.get(key) != given.get(key))
    if wrong:
        raise InputError(
            f"{folder / WEIGHTS} does not fit its model: {listing(wrong, 3)} are missing, too many, or of "
            "another shape; copy the adapter again"
        )
    library().set_peft_model_state_dict(wrapped, dict(tensors), NAME)


def merged(folder: Path, task: Task) -> Any:
    """The whole model that an adapter and its checkpoint make: a transformers model like any other."""
    wrapped = load_adapted(folder, task)
    put_whole_modules_back(wrapped.get_base_model())
    return wrapped.merge_and_unload(safe_merge=True)


def put_whole_modules_back(model: Any) -> None:
    """Let modules that were trained as they are take their places; peft cannot where IA3 is beside them."""
    from peft.utils import ModulesToSaveWrapper

    for name, module in list(model.named_modules()):
        if isinstance(module, ModulesToSaveWrapper):
            model.set_submodule(name, module.modules_to_save[NAME])
