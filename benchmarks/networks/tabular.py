"""A network for tables: columns of categories are embedded, columns of numbers are normalized."""

from typing import List, Optional, Sequence, Tuple

import torch
from torch import Tensor, nn


class TabularModel(nn.Module):
    """Vectors of categories and numbers side by side, then a perceptron.

    Args:
        emb_szs: for each column of categories, how many there are, and the size of their vectors.
        n_cont: number of columns of numbers.
        out_sz: size of the output.
        layers: sizes of the hidden layers.
        ps: dropout of each hidden layer.
        embed_p: dropout of the embeddings.
        y_range: between which the output is squeezed.
    """

    def __init__(
        self,
        emb_szs: Sequence[Tuple[int, int]],
        n_cont: int,
        out_sz: int,
        layers: List[int],
        ps: Optional[List[float]] = None,
        embed_p: float = 0.0,
        y_range: Optional[Tuple[float, float]] = None,
    ):
        super().__init__()
        ps = [0.0] * len(layers) if ps is None else ps
        self.embeds = nn.ModuleList([nn.Embedding(ni, nf) for ni, nf in emb_szs])
        self.emb_drop = nn.Dropout(embed_p)
        self.bn_cont = nn.BatchNorm1d(n_cont)
        self.n_emb = sum(e.embedding_dim for e in self.embeds)
        self.y_range = y_range

        sizes = [self.n_emb + n_cont, *layers]
        blocks: List[nn.Module] = []
        for n_in, n_out, p in zip(sizes[:-1], sizes[1:], ps):
            blocks += [nn.Linear(n_in, n_out), nn.ReLU(inplace=True), nn.BatchNorm1d(n_out)]
            if p:
                blocks.append(nn.Dropout(p))
        blocks.append(nn.Linear(sizes[-1], out_sz))
        self.layers = nn.Sequential(*blocks)

    def forward(self, x_cat: Tensor, x_cont: Tensor) -> Tensor:
        x = [e(x_cat[:, i]) for i, e in enumerate(self.embeds)]
        x = torch.cat(x, 1)
        x = self.emb_drop(x)
        x_cont = self.bn_cont(x_cont)
        x = torch.cat([x, x_cont], 1)
        x = self.layers(x)
        if self.y_range is not None:
            low, high = self.y_range
            x = (high - low) * torch.sigmoid(x) + low
        return x


class NamedColumns(nn.Module):
    """Takes its columns by name; embeddings are a ModuleDict."""

    def __init__(self, categories, numeric=2, dim=4, hidden=32):
        super().__init__()
        self.embeddings = nn.ModuleDict(
            {name: nn.Embedding(size, dim) for name, size in categories.items()}
        )
        self.wide = nn.Linear(numeric, 1)
        self.deep = nn.Sequential(
            nn.Linear(dim * len(categories) + numeric, hidden), nn.SELU(), nn.Linear(hidden, 1)
        )

    def forward(self, colour, shape, numbers):
        columns = {"colour": colour, "shape": shape}
        vectors = [embed(columns[name]) for name, embed in self.embeddings.items()]
        deep = self.deep(torch.cat([*vectors, numbers], dim=-1))
        return {"score": (self.wide(numbers) + deep).squeeze(-1), "deep": deep}


def small():
    return TabularModel([(5, 3), (7, 4)], 3, 2, [8, 6], ps=[0.1, 0.2], embed_p=0.1)


def real():
    sizes = [(10, 6), (17, 8), (8, 5), (16, 8), (7, 5), (6, 4), (3, 3)]
    return TabularModel(sizes, 6, 1, [200, 100], ps=[0.01, 0.1], embed_p=0.04, y_range=(0.0, 1.1))


def example():
    generator = torch.Generator().manual_seed(0)
    columns = [torch.randint(n, (5, 1), generator=generator) for n in (5, 7)]
    return torch.cat(columns, 1), torch.randn(5, 3, generator=generator)


def real_example():
    generator = torch.Generator().manual_seed(0)
    columns = [torch.randint(n, (8, 1), generator=generator) for n in (10, 17, 8, 16, 7, 6, 3)]
    return torch.cat(columns, 1), torch.randn(8, 6, generator=generator)


def small_named():
    return NamedColumns({"shape": 4, "colour": 6}, hidden=5)


def real_named():
    return NamedColumns({"shape": 4, "colour": 6})


def example_named():
    generator = torch.Generator().manual_seed(0)
    return {
        "colour": torch.randint(6, (4,), generator=generator),
        "shape": torch.randint(4, (4,), generator=generator),
        "numbers": torch.randn(4, 2, generator=generator),
    }


real_example_named = example_named
