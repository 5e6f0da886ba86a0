"""Memory a device and throughput of large models on many GPUs, computed and not measured.

    python benchmarks/on_paper.py

prints the table of docs/scale.md. The formulas are the functions below, each of a few lines; sizes of the
models follow from the numbers in their config.json, those of the machine from the maker's data sheet.
"""

from collections.abc import Iterator
from dataclasses import dataclass

GB = 10**9  # bytes
COPY, MOMENTS = 4, 8  # bytes of a number of fp32, and of AdamW's two
BF16 = 2  # bytes: what autocast computes with, and keeps for the backward
RANK = 16  # of LoRA on all linear layers


@dataclass(frozen=True)
class Machine:
    """Eight H100 SXM, joined by NVLink, and machines of them joined by 400 Gbit/s for each GPU."""

    flops: float = 989e12  # a second, bf16, dense
    share: float = 0.35  # of these that training gets: an assumption
    inside: float = 450e9  # bytes a second and direction of NVLink
    between: float = 50e9  # bytes a second of InfiniBand
    gpus: int = 8

    def link(self, devices: int) -> float:
        """The slowest link of a ring over so many devices, bytes a second."""
        return self.inside if devices <= self.gpus else self.between


@dataclass(frozen=True)
class Stack:
    """Layers of one kind, and how many tokens of an example go through them."""

    layers: int
    tokens: int
    attentions: int = 1  # 2 where it attends to another stack as well


@dataclass(frozen=True)
class Model:
    """A transformer, by the numbers of its config.json."""

    name: str
    width: int
    attention: int  # heads times their width
    hidden: int  # width inside the MLP
    matrices: int  # of the MLP: 2, or 3 where it is gated
    vocabulary: int
    stacks: tuple[Stack, ...]
    writes: bool  # logits over the vocabulary for the tokens of the last stack
    tied: bool = True  # the head is the embedding
    positions: int = 0

    def layer(self, stack: Stack) -> int:
        """Weights of a layer: 4·h·a for each attention, and the MLP's m·h·f."""
        attention = 4 * self.width * self.attention * stack.attentions
        return attention + self.matrices * self.width * self.hidden

    @property
    def embedding(self) -> int:
        """Weights of the embeddings, and of a head of its own."""
        tables = 1 if self.tied or not self.writes else 2
        return (tables * self.vocabulary + self.positions) * self.width

    @property
    def weights(self) -> int:
        """All weights but those of norms and biases."""
        return self.embedding + sum(stack.layers * self.layer(stack) for stack in self.stacks)

    @property
    def lora(self) -> int:
        """Weights of LoRA: r·(in + out) for every matrix."""
        attention = 4 * (self.width + self.attention)
        mlp = self.matrices * (self.width + self.hidden)
        return RANK * sum(s.layers * (attention * s.attentions + mlp) for s in self.stacks)


@dataclass(frozen=True)
class Way:
    """How a model is trained on so many devices."""

    devices: int
    rows: int  # a device and step
    shared: bool  # FSDP2
    checkpointing: bool
    adapter: bool

    @property
    def parts(self) -> int:
        """Over how many devices weights, gradients and moments are shared out."""
        return self.devices if self.shared else 1


def trained(model: Model, way: Way) -> int:
    """Weights that move."""
    return model.lora if way.adapter else model.weights


def state(model: Model, way: Way) -> tuple[float, float, float]:
    """Bytes of weights, gradients and moments on a device: 4·N, 4·T and 8·T, over the parts."""
    total = model.weights + (model.lora if way.adapter else 0)
    moving = trained(model, way)
    return COPY * total / way.parts, COPY * moving / way.parts, MOMENTS * moving / way.parts


def gathered(model: Model, way: Way) -> float:
    """Bytes that are there for a moment: with FSDP2 the two largest units whole, else gradients in a message.

    Beside them there are bf16 copies of what a forward uses; autocast keeps those of weights that move.
    """
    largest = max([model.embedding, *(model.layer(stack) for stack in model.stacks)])
    if way.shared:
        return 2 * (COPY + BF16) * largest
    return COPY * trained(model, way) + BF16 * (model.weights if not way.adapter else largest)


def kept(model: Model, stack: Stack) -> int:
    """Bytes that a layer keeps of a token for the backward: 34·h where f = 4·h and a = h.

    After Korthikanti et al. (2022), equation 2, without the attention's scores, which fused kernels compute
    again.
    """
    attention = 3 * model.width + 8 * model.attention
    mlp = 3 * model.width + 2 * model.hidden * (2 if model.matrices == 2 else 4)
    return attention * stack.attentions + mlp + 4 * model.width


def activations(model: Model, way: Way) -> float:
    """Bytes kept for the backward; with checkpointing each layer's input, and one layer's whole."""
    found = 0.0
    for stack in model.stacks:
        tokens = way.rows * stack.tokens
        whole = kept(model, stack)
        inputs = BF16 * model.width * stack.layers + whole
        found += tokens * (inputs if way.checkpointing else whole * stack.layers)
    if model.writes:
        found += way.rows * model.stacks[-1].tokens * model.vocabulary * (BF16 + 2 * COPY)  # logits, loss
    return found


def flops(model: Model, way: Way) -> float:
    """Operations of a device a step: 6 a weight and token (2 forward, 4 backward).

    There are 2 less where weights do not move, and 2 more where the forward is made twice.
    """
    each = 6 - (2 if way.adapter else 0) + (2 if way.checkpointing else 0)
    through = sum(s.layers * model.layer(s) * s.tokens for s in model.stacks)
    head = model.width * model.vocabulary * model.stacks[-1].tokens if model.writes else 0
    return float(each * way.rows * (through + head))


def sent(model: Model, way: Way) -> float:
    """Bytes that a device sends a step, around a ring of p: gradients, 2·(p-1)/p·4·T.

    With FSDP2 weights are gathered for forward and backward, 2·(p-1)/p·4·N, and gradients scattered,
    (p-1)/p·4·T.
    """
    around = (way.devices - 1) / way.devices
    moving = COPY * trained(model, way)
    return around * (2 * COPY * model.weights + moving if way.shared else 2 * moving)


def times(model: Model, way: Way, machine: Machine) -> tuple[float, float]:
    """Seconds a step of computing and of sending."""
    return flops(model, way) / (machine.flops * machine.share), sent(model, way) / machine.link(way.devices)


BERT = Model("BERT-large", 1024, 1024, 4096, 2, 30522, (Stack(24, 512),), False, positions=514)
T5 = Model("T5-3B", 1024, 4096, 16384, 2, 32128, (Stack(24, 512), Stack(24, 128, 2)), True)
DECODER = Model("7B decoder", 4096, 4096, 11008, 3, 32000, (Stack(32, 2048),), True, tied=False)


def cases() -> Iterator[tuple[Model, Way]]:
    """The rows of the table."""
    plans = (  # model, rows a device, FSDP2, checkpointing, LoRA
        (BERT, 32, False, False, False),
        (BERT, 32, False, True, False),
        (T5, 8, True, False, False),
        (T5, 8, True, True, False),
        (DECODER, 2, False, True, True),
        (DECODER, 2, True, False, True),
        (DECODER, 2, True, True, True),
    )
    for model, rows, *rest in plans:
        for devices in (8, 64):
            yield model, Way(devices, rows, *rest)


def described(way: Way) -> str:
    """How, in words."""
    words = ["LoRA" if way.adapter else "full", "FSDP2" if way.shared else "copies"]
    return ", ".join([*words, *(["checkpointing"] if way.checkpointing else [])])


HEADER = (
    *("model", "GPUs", "how", "weights", "gradients", "moments", "for a moment", "activations", "sum, GB"),
    *("sent, GB", "computing, ms", "sending, ms", "examples a second"),
)


def row(model: Model, way: Way, machine: Machine) -> list[str]:
    """A row of the table; a second is that of the longer of computing and sending, to that of both."""
    memory = [*state(model, way), gathered(model, way), activations(model, way)]
    computing, sending = times(model, way, machine)
    total = way.rows * way.devices
    rate = f"{total / (computing + sending):,.0f} to {total / max(computing, sending):,.0f}"
    cells = [model.name, str(way.devices), described(way), *(f"{part / GB:.1f}" for part in memory)]
    cells += [f"{sum(memory) / GB:.1f}", f"{sent(model, way) / GB:.2f}"]
    return [*cells, f"{computing * 1e3:,.0f}", f"{sending * 1e3:,.0f}", rate]


def table() -> str:
    """The table, in Markdown."""
    machine = Machine()
    lines = [HEADER, ["---"] * len(HEADER), *(row(model, way, machine) for model, way in cases())]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


if __name__ == "__main__":
    print(table())
