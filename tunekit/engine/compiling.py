"""When a run's layers are compiled: where its recipe says so, or once that is worth its time on a GPU."""

import time

from tunekit.console import out
from tunekit.engine.optimization import Optimization
from tunekit.fast.compiled import compile_layers

WARM, MEASURED = 20, 20  # steps that are made first, and whose time is then measured
COST = 30.0  # seconds that compiling takes
GAIN = 0.15  # share of a step that it saves at least


class Compiling:
    """Watches the time of steps, and compiles once."""

    def __init__(self, optimization: Optimization) -> None:
        self.optimization, self.wanted = optimization, optimization.fast.compile
        self.began = 0.0

    def due(self, made: int, left: int) -> bool:
        """Compile, and say so, if that is due before the step after `made` steps, with so many left."""
        if self.wanted is False or (self.wanted == "auto" and not self.pays(made, left)):
            return False
        self.wanted = False
        compile_layers(self.optimization.model)
        self.optimization.fast.names.append("compiled")
        out.say("compiling the model's layers; the next steps take longer, and all after them less")
        return True

    def pays(self, made: int, left: int) -> bool:
        """Whether the steps that are left take so long that compiling is worth its time."""
        if made in (WARM, WARM + MEASURED) and self.optimization.deferred:
            float(self.optimization.bad)  # waits for the device
            before, self.began = self.began, time.monotonic()
            if made == WARM + MEASURED:
                return left * (self.began - before) / MEASURED * GAIN > COST
        return False
