"""Vision transformers with an attention of their own: one with a class token, positions that are
learnt and one projection for query, key and value; one that says its attention by einsum."""

import math

import torch
import torch.nn as nn


class PatchEmbedding(nn.Module):
    """Cuts pictures into square patches and gives each a vector: (N, C, H, W) to (N, L, D)."""

    def __init__(self, image_size, patch_size, in_channels, dim):
        super().__init__()
        self.n_patches = (image_size // patch_size) ** 2
        # a convolution whose windows do not overlap is a linear layer on each patch
        self.proj = nn.Conv2d(in_channels, dim, kernel_size=patch_size, stride=patch_size)

    def forward(self, x):
        x = self.proj(x)  # (N, D, h, w)
        x = x.flatten(2)  # (N, D, L)
        return x.transpose(1, 2)


class Attention(nn.Module):
    def __init__(self, dim, heads, qkv_bias=True, attn_drop=0.0, drop=0.0):
        super().__init__()
        self.heads = heads
        self.head_dim = dim // heads
        self.scale = self.head_dim**-0.5

        self.qkv = nn.Linear(dim, 3 * dim, bias=qkv_bias)
        self.attn_drop = nn.Dropout(attn_drop)
        self.proj = nn.Linear(dim, dim)
        self.drop = nn.Dropout(drop)

    def forward(self, x):
        B, N, D = x.shape
        qkv = self.qkv(x).reshape(B, N, 3, self.heads, self.head_dim)
        qkv = qkv.permute(2, 0, 3, 1, 4)  # (3, B, heads, N, head_dim)
        q, k, v = qkv[0], qkv[1], qkv[2]

        weights = (q @ k.transpose(-2, -1)) * self.scale
        weights = self.attn_drop(weights.softmax(dim=-1))

        x = (weights @ v).transpose(1, 2).reshape(B, N, D)
        return self.drop(self.proj(x))


class MLP(nn.Module):
    def __init__(self, dim, hidden=None, act=nn.GELU, drop=0.0):
        super().__init__()
        hidden = hidden or 4 * dim
        self.fc1 = nn.Linear(dim, hidden)
        self.act = act()
        self.fc2 = nn.Linear(hidden, dim)
        self.drop = nn.Dropout(drop)

    def forward(self, x):
        x = self.drop(self.act(self.fc1(x)))
        x = self.drop(self.fc2(x))
        return x


class Block(nn.Module):
    def __init__(self, dim, heads, mlp_ratio=4.0, qkv_bias=True, drop=0.0, attn_drop=0.0):
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.attn = Attention(dim, heads, qkv_bias, attn_drop=attn_drop, drop=drop)
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = MLP(dim, hidden=int(dim * mlp_ratio), drop=drop)

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        x = x + self.mlp(self.norm2(x))
        return x


class VisionTransformer(nn.Module):
    """ViT: patches and a class token through blocks of attention; the token is classified.

    Args:
        image_size: height and width of the pictures.
        patch_size: of which this is a divisor.
        classes: how many, or 0 to get the token itself.
    """

    def __init__(
        self,
        image_size=224,
        patch_size=16,
        in_channels=3,
        classes=1000,
        dim=768,
        depth=12,
        heads=12,
        mlp_ratio=4.0,
        qkv_bias=True,
        drop=0.1,
        attn_drop=0.0,
    ):
        super().__init__()
        self.patch_embed = PatchEmbedding(image_size, patch_size, in_channels, dim)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + self.patch_embed.n_patches, dim))
        self.pos_drop = nn.Dropout(p=drop)
        self.blocks = nn.ModuleList(
            [Block(dim, heads, mlp_ratio, qkv_bias, drop, attn_drop) for _ in range(depth)]
        )
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.head = nn.Linear(dim, classes) if classes > 0 else nn.Identity()

        nn.init.trunc_normal_(self.pos_embed, std=0.02)
        nn.init.trunc_normal_(self.cls_token, std=0.02)
        self.apply(self._init_weights)

    def _init_weights(self, module):
        if isinstance(module, nn.Linear):
            nn.init.trunc_normal_(module.weight, std=0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)

    def tokens(self, x):
        x = self.patch_embed(x)
        cls_token = self.cls_token.expand(x.shape[0], -1, -1)  # one for each picture
        x = torch.cat((cls_token, x), dim=1)
        return self.pos_drop(x + self.pos_embed)

    def forward(self, x):
        x = self.tokens(x)
        for block in self.blocks:
            x = block(x)
        x = self.norm(x)
        return self.head(x[:, 0])  # the class token alone


class EinsumAttention(nn.Module):
    def __init__(self, dim: int, heads: int, dim_head: int):
        super().__init__()
        inner = heads * dim_head
        self.heads = heads
        self.norm = nn.LayerNorm(dim)
        self.query = nn.Linear(dim, inner, bias=False)
        self.key_value = nn.Linear(dim, inner * 2, bias=False)
        self.out = nn.Linear(inner, dim, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        b, n, _ = x.shape
        x = self.norm(x)
        q, k, v = (self.query(x), *self.key_value(x).chunk(2, dim=-1))
        q, k, v = (t.reshape(b, n, self.heads, -1) for t in (q, k, v))
        scores = torch.einsum("bihd,bjhd->bhij", q, k) / math.sqrt(q.shape[-1])
        mixed = torch.einsum("bhij,bjhd->bihd", scores.softmax(dim=-1), v)
        return self.out(mixed.reshape(b, n, -1))


def sine_positions(rows: int, columns: int, dim: int) -> torch.Tensor:
    assert dim % 4 == 0, f"sines and cosines of two axes need a multiple of 4, not {dim}"
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    rates = 10000.0 ** -torch.linspace(0, 1, dim // 4)
    y, x = (t.reshape(-1, 1) * rates for t in (y, x))
    return torch.cat((x.sin(), x.cos(), y.sin(), y.cos()), dim=1)


class SimpleViT(nn.Module):
    """Cuts patches by view and permute; positions are sines; the mean token is classified."""

    def __init__(self, image=32, patch=8, dim=64, depth=6, heads=4, dim_head=16, classes=10):
        super().__init__()
        assert image % patch == 0, f"{image} is not a multiple of {patch}"
        self.patch = patch
        side = image // patch
        values = 3 * patch * patch
        self.embed = nn.Sequential(nn.LayerNorm(values), nn.Linear(values, dim), nn.LayerNorm(dim))
        self.register_buffer("positions", sine_positions(side, side, dim), persistent=False)
        self.layers = nn.ModuleList([])
        for _ in range(depth):
            feed_forward = nn.Sequential(
                nn.LayerNorm(dim), nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim)
            )
            attention = EinsumAttention(dim, heads, dim_head)
            self.layers.append(nn.ModuleList([attention, feed_forward]))
        self.head = nn.Linear(dim, classes)

    def forward(self, img: torch.Tensor) -> torch.Tensor:
        b, c, h, w = img.shape
        p = self.patch
        x = img.view(b, c, h // p, p, w // p, p).permute(0, 2, 4, 3, 5, 1)
        x = self.embed(x.reshape(b, (h // p) * (w // p), p * p * c))
        x = x + self.positions
        for attention, feed_forward in self.layers:
            x = attention(x) + x
            x = feed_forward(x) + x
        return self.head(x.mean(dim=1))


def small():
    return VisionTransformer(16, 8, classes=5, dim=12, depth=2, heads=3)


def real():
    return VisionTransformer(32, 4, classes=10, dim=192, depth=6, heads=3)


def example():
    return torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def real_example():
    return torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def small_einsum():
    return SimpleViT(image=16, patch=4, dim=12, depth=2, heads=2, dim_head=5, classes=6)


def real_einsum():
    return SimpleViT(depth=4)


example_einsum, real_example_einsum = example, real_example
