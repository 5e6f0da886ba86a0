"""Gradients summed over processes: in flat buckets, that leave while the last backward of a step goes on.

Each parameter's gradient is a view of its bucket, so nothing is copied. Buckets leave in a fixed order, and
a process whose memory ran out sends all of its own too, whatever they hold: no process ever waits for a
message that does not come, and a step can be made again after any failure.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

BYTES = 25_000_000  # of a bucket: large enough for a fast message, small enough to leave early
ALIGNED = 16  # elements: where a gradient begins in its bucket, for kernels that read several at once


class Bucket:
    """Some gradients end to end."""

    def __init__(self, parameters: Sequence[tuple[int, Any]]) -> None:
        first = parameters[0][1]
        places, size = [], 0
        for _, parameter in parameters:
            places.append(size)
            size += -(-parameter.numel() // ALIGNED) * ALIGNED
        self.flat = first.new_zeros(size, requires_grad=False)
        self.views = {
            number: self.flat[place : place + parameter.numel()].view(parameter.shape)
            for (number, parameter), place in zip(parameters, places, strict=True)
        }
        self.waits_for = len(self.views)  # gradients of the last backward that are still to come
        self.sent: Any = None

    def fits(self, number: int, parameter: Any) -> bool:
        """Whether a parameter is still what its place was made for."""
        place = self.views[number]
        return bool(place.dtype == parameter.dtype and place.device == parameter.device)


class Exchange:
    """Sums the gradients of some parameters over all processes."""

    def __init__(self, parameters: Sequence[Any], size: int = BYTES) -> None:
        self.parameters, self.size = parameters, size
        self.buckets: list[Bucket] = []
        self.of: dict[int, Bucket] = {}  # by the number of a parameter
        self.leaving = False  # whether the last backward is going on
        self.touched: set[int] = set()  # numbers of parameters that a backward has come to
        for number, parameter in enumerate(parameters):
            parameter.register_post_accumulate_grad_hook(self.noting(number))

    def begin(self) -> None:
        """Begin a step: all gradients are zeros, in their buckets."""
        if not all(number in self.of and self.of[number].fits(number, p) for number, p in self.numbered()):
            self.buckets = [Bucket(each) for each in self.divided()]
            self.of = {number: bucket for bucket in self.buckets for number in bucket.views}
            self.tail = self.parameters[0].new_zeros(len(self.parameters) + 1, requires_grad=False)
        self.leaving, self.next = False, 0
        self.touched.clear()
        for bucket in self.buckets:
            bucket.flat.zero_()
            bucket.waits_for, bucket.sent = len(bucket.views), None
        for number, parameter in self.numbered():
            parameter.grad = self.of[number].views[number]

    def last(self) -> None:
        """The next backward is the step's last: buckets leave as soon as they are full."""
        self.leaving = True

    def finish(self, *, failed: bool) -> bool:
        """Send what is left and wait for all; tell whether any process failed.

        A parameter that no process used then has no gradient.
        """
        import torch.distributed as group

        self.leave(len(self.buckets))
        self.leaving = False
        self.tail.zero_()
        self.tail[[*sorted(self.touched), len(self.parameters)]] = self.tail.new_tensor(
            [1.0] * len(self.touched) + [float(failed)]
        )
        group.all_reduce(self.tail)
        for bucket in self.buckets:
            bucket.sent.wait()
        *used, failures = self.tail.tolist()
        for parameter, count in zip(self.parameters, used, strict=True):
            if not count:
                parameter.grad = None
        return bool(failures)

    def leave(self, before: int) -> None:
        """Let buckets leave in their order, up to before one of them."""
        import torch.distributed as group

        for bucket in self.buckets[self.next : before]:
            bucket.sent = group.all_reduce(bucket.flat, async_op=True)
        self.next = max(self.next, before)

    def noting(self, number: int) -> Callable[[Any], None]:
        """What is called when a backward has added to a parameter's gradient."""

        def note(_: Any) -> None:
            self.touched.add(number)
            if self.leaving:
                self.one_more(self.of[number])

        return note

    def one_more(self, bucket: Bucket) -> None:
        """A gradient is complete: let the buckets leave that now can."""
        if bucket.sent is not None:
            raise RuntimeError("a gradient was changed by a second backward after it was sent")
        bucket.waits_for -= 1
        ready = self.next
        while ready < len(self.buckets) and self.buckets[ready].waits_for == 0:
            ready += 1
        self.leave(ready)

    def numbered(self) -> Iterator[tuple[int, Any]]:
        """The parameters with their numbers, in the order in which a backward comes to them."""
        return iter([*enumerate(self.parameters)][::-1])

    def divided(self) -> list[list[tuple[int, Any]]]:
        """The parameters of each bucket."""
        found: list[list[tuple[int, Any]]] = []
        room, kind = 0, None
        for number, parameter in self.numbered():
            need, like = parameter.numel() * parameter.element_size(), (parameter.dtype, parameter.device)
            if need > room or like != kind:
                found.append([])
                room, kind = self.size, like
            found[-1].append((number, parameter))
            room -= need
        return found
