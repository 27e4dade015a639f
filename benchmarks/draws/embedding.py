"""Embeddings, and bags of them."""

import numpy as np
from hypothesis import strategies as st

from draws.draw import Draw, Layer, Wrong

sizes = st.integers(1, 6)
UNHEARD = ("device", "dtype", "_weight", "_freeze")
SIZES = {"num_embeddings": 6, "embedding_dim": 3}


def indices(rows, *shape, dtype=np.int64):
    """(n, *shape) rows of a matrix, the same one often."""
    return lambda n, rng: (rng.integers(0, rows, (n, *shape)).astype(dtype),)


def bags(rows, is_weighted=False, *, lengths=(), width=None, has_last=False):
    """n bags: of one width, or one behind the other, of lengths that come again and again."""

    def inputs(n, rng):
        if width is not None:
            given, offsets = rng.integers(0, rows, (n, width)), None
        else:
            each = [lengths[i % len(lengths)] for i in range(n)]
            given = rng.integers(0, rows, sum(each))
            offsets = np.cumsum([0, *each])[: None if has_last else -1]
        weights = rng.normal(size=given.shape) if is_weighted else None
        return given, offsets, weights

    return inputs


@st.composite
def rows(draw):
    """A matrix, and a row of it that is padding."""
    count = draw(sizes)
    padding = st.none() | st.integers(-count, count - 1)
    return {"num_embeddings": count, "embedding_dim": draw(sizes), "padding_idx": draw(padding)}


norms = {"max_norm": st.none(), "norm_type": st.sampled_from([2.0, 2, 1.0, 0.5])}
switches = {"scale_grad_by_freq": st.just(False), "sparse": st.just(False)}
never = st.fixed_dictionaries({}, optional={**norms, **switches})


@st.composite
def embedding(draw):
    """Indices of any number of axes, of both dtypes."""
    arguments = {**draw(rows()), **draw(never)}
    shape = draw(st.lists(sizes, max_size=3))
    dtype = draw(st.sampled_from([np.int32, np.int64]))
    inputs = indices(arguments["num_embeddings"], *shape, dtype=dtype)
    return Draw(arguments, inputs, maps=False)


@st.composite
def embedding_bag(draw):
    """Bags of one length or of several, empty ones and such of padding alone too."""
    mode = draw(st.sampled_from(["sum", "mean", "max"]))
    arguments = {**draw(rows()), **draw(never), "mode": mode}
    if draw(st.booleans()):
        arguments["include_last_offset"] = draw(st.booleans())
    shape = {
        "lengths": draw(st.lists(st.integers(0, 4), min_size=2, max_size=3).filter(any)),
        "has_last": arguments.get("include_last_offset", False),
    }
    if draw(st.booleans()):
        shape = {"width": draw(sizes)}
    is_weighted = mode == "sum" and draw(st.booleans())
    return Draw(arguments, bags(arguments["num_embeddings"], is_weighted, **shape))


TAKES = {  # by torch alone
    "max_norm": Wrong({**SIZES, "max_norm": 1.0}),
    "scale_grad_by_freq": Wrong({**SIZES, "scale_grad_by_freq": True}),
    "sparse": Wrong({**SIZES, "sparse": True}),
}

LAYERS = {
    "Embedding": Layer(
        embedding(),
        [Draw({**SIZES, "padding_idx": -2}, indices(6, 8))],
        wrong=[
            Wrong({**SIZES, "padding_idx": 6}),
            Wrong({**SIZES, "padding_idx": -7}),
            Wrong(SIZES, indices(9, 20), "rows 0 to 5"),
            Wrong(SIZES, lambda n, _: (np.full(n, -1),), "from -1 to -1"),
            Wrong(SIZES, lambda n, _: (np.ones(n),), "int32 or int64"),
            Wrong(SIZES, lambda n, _: (np.ones(n, np.uint8),), "8-bit"),
        ],
        refused=TAKES,
        unheard=UNHEARD,
    ),
    "EmbeddingBag": Layer(
        embedding_bag(),
        [
            Draw({**SIZES, "padding_idx": 1}, bags(2, width=3)),  # bags of padding alone
            Draw({**SIZES, "padding_idx": 0, "mode": "max"}, bags(2, lengths=(3, 0, 4))),
            Draw({**SIZES, "padding_idx": 0, "mode": "sum"}, bags(3, True, lengths=(0, 2, 0))),
        ],
        wrong=[
            Wrong({**SIZES, "padding_idx": 6}),
            Wrong({**SIZES, "mode": "median"}, bags(6, width=3)),
            Wrong(SIZES, bags(9, width=20), "rows 0 to 5"),
            Wrong(SIZES, bags(6, True, width=3), "per_sample_weights"),
            Wrong(
                {**SIZES, "mode": "sum"},
                lambda n, _: (np.ones((n, 3), int), None, np.ones((n, 1))),
                "per_sample_weights",
            ),
            Wrong(SIZES, lambda n, _: (np.ones(3, int),), "offsets"),
            Wrong(SIZES, lambda n, _: (np.ones((n, 3), int), np.array([0])), "offsets"),
            Wrong(SIZES, lambda n, _: (np.ones(3, int), np.array([1, 2])), "offsets"),
            Wrong(SIZES, lambda n, _: (np.ones(3, int), np.array([0, 4])), "offsets"),
            Wrong(SIZES, lambda n, _: (np.ones(3, int), np.array([[0, 2]])), "offsets"),
            Wrong(SIZES, lambda n, _: (np.ones((n, 3, 2), int),), "indices"),
        ],
        refused=TAKES,
        unheard=UNHEARD,
    ),
}
