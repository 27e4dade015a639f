"""Networks on nn.MultiheadAttention and nn.TransformerEncoder, with masks of the padding, of the
future, and of both; batches come first."""

from typing import Optional

import torch
from torch import Tensor, nn


class PaddedEncoder(nn.Module):
    """Classifies sentences whose words are 0 where they have ended."""

    def __init__(self, vocab, dim=64, heads=4, hidden=128, layers=2, classes=3, longest=64):
        super().__init__()
        self.words = nn.Embedding(vocab, dim, padding_idx=0)
        self.positions = nn.Embedding(longest, dim)
        layer = nn.TransformerEncoderLayer(
            dim, heads, hidden, dropout=0.1, activation="gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(
            layer, layers, norm=nn.LayerNorm(dim), enable_nested_tensor=False
        )
        self.classify = nn.Linear(dim, classes)

    def forward(self, words: Tensor) -> Tensor:
        padding = words == 0
        positions = torch.arange(words.shape[1], device=words.device)
        x = self.words(words) + self.positions(positions)
        x = self.encoder(x, src_key_padding_mask=padding)
        # the mean of what is a word
        kept = (~padding).unsqueeze(-1).to(x.dtype)
        return self.classify((x * kept).sum(dim=1) / kept.sum(dim=1))


class CausalBlock(nn.Module):
    """One block of a decoder; its mask is a buffer that no state_dict has."""

    mask: Tensor

    def __init__(self, dim: int, heads: int, longest: int):
        super().__init__()
        self.ln_1 = nn.LayerNorm(dim)
        self.attn = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.ln_2 = nn.LayerNorm(dim)
        self.mlp = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))
        mask = torch.triu(torch.ones(longest, longest, dtype=torch.bool), diagonal=1)
        self.register_buffer("mask", mask, persistent=False)

    def attention(self, x: Tensor) -> Tensor:
        length = x.size(1)
        mask = self.mask[:length, :length]
        return self.attn(x, x, x, attn_mask=mask, need_weights=False)[0]

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.ln_1(x))
        x = x + self.mlp(self.ln_2(x))
        return x


class Causal(nn.Module):
    def __init__(self, vocab=65, dim=64, heads=4, layers=2, longest=32):
        super().__init__()
        self.transformer = nn.ModuleDict(
            dict(
                wte=nn.Embedding(vocab, dim),
                wpe=nn.Embedding(longest, dim),
                h=nn.ModuleList([CausalBlock(dim, heads, longest) for _ in range(layers)]),
                ln_f=nn.LayerNorm(dim),
            )
        )
        self.lm_head = nn.Linear(dim, vocab, bias=False)
        self.transformer.wte.weight = self.lm_head.weight  # tied

    def forward(self, idx: Tensor) -> Tensor:
        b, t = idx.size()
        pos = torch.arange(0, t, dtype=torch.long, device=idx.device)
        x = self.transformer.wte(idx) + self.transformer.wpe(pos)
        for block in self.transformer.h:
            x = block(x)
        x = self.transformer.ln_f(x)
        return self.lm_head(x)


class CrossAttention(nn.Module):
    """Queries read a memory of another width; masks are arguments; weights are returned too."""

    def __init__(self, dim: int = 32, memory_dim: int = 48, heads: int = 4):
        super().__init__()
        self.attention = nn.MultiheadAttention(
            dim, heads, dropout=0.1, kdim=memory_dim, vdim=memory_dim, batch_first=True
        )
        self.norm = nn.LayerNorm(dim)

    def forward(
        self,
        query: Tensor,
        memory: Tensor,
        padding: Optional[Tensor] = None,
        mask: Optional[Tensor] = None,
    ):
        read, weights = self.attention(
            query, memory, memory, key_padding_mask=padding, attn_mask=mask
        )
        return self.norm(query + read), weights


def small_padded():
    return PaddedEncoder(20, dim=6, heads=2, hidden=8, layers=2, longest=10)


def real_padded():
    return PaddedEncoder(5000)


def example_padded():
    words = torch.randint(1, 20, (3, 7), generator=torch.Generator().manual_seed(0))
    words[1, 4:] = 0
    words[2, 6:] = 0
    return words


def real_example_padded():
    words = torch.randint(1, 5000, (3, 40), generator=torch.Generator().manual_seed(0))
    words[1, 31:] = 0
    return words


def small_causal():
    return Causal(vocab=12, dim=6, heads=2, layers=2, longest=8)


def real_causal():
    return Causal()


def example_causal():
    return torch.randint(12, (3, 6), generator=torch.Generator().manual_seed(0))


def real_example_causal():
    return torch.randint(65, (4, 32), generator=torch.Generator().manual_seed(0))


def small_cross():
    return CrossAttention(dim=6, memory_dim=5, heads=2)


def real_cross():
    return CrossAttention()


def _cross(queries, length, dim, memory_dim):
    generator = torch.Generator().manual_seed(0)
    padding = torch.zeros(3, length, dtype=torch.bool)
    padding[1, -2:] = True
    return {
        "query": torch.randn(3, queries, dim, generator=generator),
        "memory": torch.randn(3, length, memory_dim, generator=generator),
        "padding": padding,
    }


def example_cross():
    return _cross(4, 6, 6, 5)


def real_example_cross():
    return _cross(10, 20, 32, 48)
