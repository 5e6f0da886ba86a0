"""Where the real tokens of a padded batch are, and how attention groups its rows."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

ROUND = 64  # token counts are rounded up to this, so that the shapes of products repeat and stay prepared
PRICE = 8192  # elements of scores that one more group is worth
MASKED = -1e30  # what is added to scores that must not count


@dataclass
class Group:
    """Neighbouring rows whose attention is computed together, padded to the longest of them."""

    begin: int  # its first token in the flat batch
    lengths: list[int]
    made: dict[int, tuple[Any, Any]] = field(default_factory=dict)  # places, by the number of heads

    @cached_property
    def longest(self) -> int:
        """Tokens of the longest row."""
        return max(self.lengths)

    @cached_property
    def end(self) -> int:
        """Behind its last token."""
        return self.begin + sum(self.lengths)

    @cached_property
    def even(self) -> bool:
        """Whether all rows have the same length."""
        return min(self.lengths) == self.longest

    @cached_property
    def real(self) -> Any:
        """Which places of the padded rows hold tokens, shape (rows, longest)."""
        import torch

        return torch.arange(self.longest)[None] < torch.tensor(self.lengths)[:, None]

    @cached_property
    def mask(self) -> Any:
        """What is added to scores, shape (rows, 1, 1, longest)."""
        import torch

        return torch.zeros(self.real.shape).masked_fill_(~self.real, MASKED)[:, None, None]

    def places(self, heads: int) -> tuple[Any, Any]:
        """Where padded rows find their tokens, shape (rows * heads * longest,), and where tokens find theirs.

        The first are places in the flat batch of tokens and heads, and padding takes the last token of its
        row; the second are places in the padded rows, shape (tokens * heads,).
        """
        if heads not in self.made:
            self.made[heads] = self.make_places(heads)
        return self.made[heads]

    def make_places(self, heads: int) -> tuple[Any, Any]:
        """See `places`."""
        import torch

        lengths, position = torch.tensor(self.lengths)[:, None], torch.arange(self.longest)
        first = self.begin + lengths.cumsum(0) - lengths
        token = first + torch.minimum(position, lengths - 1)  # (rows, longest)
        head = torch.arange(heads)
        found = token[:, None] * heads + head[:, None]  # (rows, heads, longest)
        row = torch.arange(len(self.lengths))[:, None, None]
        back = (row * heads + head) * self.longest + position[:, None]  # (rows, longest, heads)
        return found.reshape(-1), back[self.real].reshape(-1)

    def pad(self, flat: Any) -> Any:
        """The rows of a flat batch, shape (tokens, heads, size), as (rows, heads, longest, size).

        Padding holds copies of real tokens: it is masked where it is read, and nobody reads what it gives.
        """
        heads, size = flat.shape[1:]
        rows = flat.reshape(-1, size).index_select(0, self.places(heads)[0])
        return rows.view(len(self.lengths), heads, self.longest, size)

    def silence(self, wide: Any) -> Any:
        """Zeros for the padding of padded rows."""
        return wide if self.even else wide.mul_(self.real[:, None, :, None])

    def unpad(self, wide: Any, flat: Any) -> None:
        """Write padded rows into the flat batch; the reverse of `pad`."""
        import torch

        heads, size = flat.shape[1:]
        part = flat.view(-1, size)[self.begin * heads : self.end * heads]
        torch.index_select(wide.reshape(-1, size), 0, self.places(heads)[1], out=part)

    def added(self, like: Any, bias: Any, causal: bool) -> tuple[Any, ...]:
        """What is added to scores: a bias by position, and masks."""
        import torch

        size = self.longest
        later = torch.full((size, size), MASKED, dtype=like.dtype).triu_(1) if causal else None
        mask = None if self.even or causal else self.mask.to(like.dtype)  # later tokens hide the padding
        return None if bias is None else bias[:, :, :size, :size], later, mask


@dataclass
class Layout:
    """A batch of rows without their padding: all tokens of the first, all of the second, and so on."""

    rows: int
    width: int  # padded length
    index: Any  # of each token among the padded ones; then copies of the first, which nobody sees
    real: int  # tokens before the copies
    groups: list[Group]

    def flatten(self, wide: Any) -> Any:
        """(rows * width, size) as (tokens, size)."""
        return wide.index_select(0, self.index)

    def pad(self, flat: Any) -> Any:
        """(tokens, size) as (rows * width, size), with zeros for padding."""
        wide = flat.new_zeros(self.rows * self.width, flat.shape[-1])
        return wide.index_copy_(0, self.index[: self.real], flat[: self.real])

    def unwritten(self, like: Any) -> Any:
        """A flat batch of which the tokens are yet to be written, and the copies are zeros."""
        import torch

        return self.silence(torch.empty_like(like, memory_format=torch.contiguous_format))

    def silence(self, flat: Any) -> Any:
        """Zeros for the copies."""
        flat[self.real :] = 0
        return flat


def make_layout(attention_mask: Any) -> Layout:
    """The layout of a batch that is padded on the right; mask of shape (rows, width)."""
    import torch

    rows, width = attention_mask.shape
    flat = attention_mask.reshape(-1).nonzero().squeeze(1)
    index = torch.cat([flat, flat[:1].expand(-len(flat) % ROUND)])
    return Layout(rows, width, index, len(flat), make_groups(attention_mask.sum(1).tolist()))


def make_groups(lengths: list[int]) -> list[Group]:
    """Cut neighbouring rows into groups with the least padded scores, plus a price for each group."""
    best, start = [0], [0]
    for end in range(1, len(lengths) + 1):
        longest, options = 0, []
        for begin in range(end - 1, -1, -1):
            longest = max(longest, lengths[begin])
            options.append((best[begin] + (end - begin) * longest**2 + PRICE, begin))
        work, begin = min(options)
        best.append(work)
        start.append(begin)
    cuts, end = [], len(lengths)
    while end:
        cuts.append((start[end], end))
        end = start[end]
    return [Group(sum(lengths[:begin]), lengths[begin:end]) for begin, end in reversed(cuts)]
