"""Resizing and shuffling."""

from hypothesis import strategies as st

from draws.draw import Draw, Layer, Wrong, normal

small = st.integers(1, 3)
places = st.integers(1, 8)
# Whole ones, ones that a size is rounded by, and ones that leave or double a size all the same.
factors = st.one_of(st.sampled_from([0.5, 1.0, 1.1, 1.5, 2.0, 2.1, 3.0]), st.floats(0.3, 3.5))
WEIGHTED = ("linear", "bilinear", "bicubic")


@st.composite
def sizes(draw, shape):
    """A size or a factor."""
    several = draw(st.booleans())
    if draw(st.booleans()):
        size = tuple(draw(places) for _ in shape) if several else draw(places)
        return {"size": size}
    # Torch takes no factor that leaves nothing.
    least = min(shape)
    given = [draw(factors.filter(lambda factor: least * factor >= 1)) for _ in shape]
    return {"scale_factor": tuple(given) if several else given[0]}


@st.composite
def resized(draw):
    """Every mode, with what it takes."""
    mode = draw(st.sampled_from(["nearest", "nearest-exact", "area", *WEIGHTED]))
    ranks = {"linear": [1], "bilinear": [2], "bicubic": [2]}.get(mode, [1, 2])
    shape = [draw(places) for _ in range(draw(st.sampled_from(ranks)))]
    arguments = {**draw(sizes(shape)), "mode": mode}
    if mode in WEIGHTED:
        arguments["align_corners"] = draw(st.sampled_from([None, False, True]))
    if "scale_factor" in arguments:
        arguments["recompute_scale_factor"] = draw(st.sampled_from([None, False, True]))
    return Draw(arguments, normal(*shape, draw(small)))


@st.composite
def upsampled(draw):
    """The layers of one mode."""
    shape = [draw(places), draw(places)]
    return Draw(draw(sizes(shape)), normal(*shape, draw(small)))


@st.composite
def shuffled(draw, name):
    """Channels or places that a factor divides."""
    r = draw(small)
    height, width, channels = draw(small), draw(small), draw(small)
    shape = (height, width, channels * r * r)
    if name == "downscale_factor":
        shape = (height * r, width * r, channels)
    return Draw({name: r}, normal(*shape))


maps, rows = normal(5, 4, 2), normal(5, 2)
wrong_sizes = [
    Wrong({}, maps, "size"),
    Wrong({"size": 2, "scale_factor": 2}, maps),
    Wrong({"scale_factor": 0}, maps),
    Wrong({"scale_factor": 0.1}, maps),
    Wrong({"size": (2,)}, maps),
    Wrong({"scale_factor": (2.0,)}, maps),
    Wrong({"size": 0}, maps),
    Wrong({"size": 2.5}, maps, "integer"),
]

LAYERS = {
    "Upsample": Layer(
        resized(),
        [
            Draw({"scale_factor": 2.0}, normal(3, 4, 2)),
            Draw({"scale_factor": 2.1, "mode": "bicubic"}, normal(4, 5, 2)),
            Draw({"size": (5, 7), "mode": "bilinear", "align_corners": True}, normal(4, 3, 2)),
        ],
        wrong=[
            *wrong_sizes,
            Wrong({"size": 2, "mode": "cubic"}, maps),
            Wrong({"size": 2, "mode": "linear"}, maps, "expected maps"),
            Wrong({"size": 2, "mode": "bilinear"}, rows, "expected maps"),
            Wrong({"size": 2, "align_corners": False}, maps),
            Wrong({"size": 2, "recompute_scale_factor": True}, maps),
            Wrong({"size": 2}, normal(3), "expected maps"),
        ],
    ),
    "UpsamplingNearest2d": Layer(
        upsampled(), [Draw({"scale_factor": 1.5}, normal(3, 4, 2))], wrong=wrong_sizes
    ),
    "UpsamplingBilinear2d": Layer(
        upsampled(), [Draw({"size": 7}, normal(3, 4, 2))], wrong=wrong_sizes
    ),
    "PixelShuffle": Layer(
        shuffled("upscale_factor"),
        [Draw({"upscale_factor": 2}, normal(2, 3, 8))],
        wrong=[
            Wrong({"upscale_factor": 3}, normal(2, 3, 8)),
            Wrong({"upscale_factor": 0}, normal(2, 3, 8)),
            Wrong({"upscale_factor": 2}, normal(8), "expected maps"),
        ],
    ),
    "PixelUnshuffle": Layer(
        shuffled("downscale_factor"),
        [Draw({"downscale_factor": 2}, normal(4, 6, 2))],
        wrong=[
            Wrong({"downscale_factor": 3}, normal(4, 6, 2)),
            Wrong({"downscale_factor": -1}, normal(4, 6, 2)),
        ],
    ),
}
