"""What is said of a layer that reads maps in another order than torch's twin would."""

from flaxnets.layers.flattening import axes
from flaxnets.layers.flattening.axes import CHANNEL, FEATURE, LETTERS, LOST, PLACES, Axis, Label
from flaxnets.layers.flattening.marks import Mark

AS_IT_COMES = "flattened_from=() if torch's twin reads them in this order too"


def refusal(mark: Mark, label: Label) -> str | None:
    """One line, or None if what a mark reads is right."""
    if mark.role == "read":
        return _split(mark.path, label[len(label) - mark.rank :])
    if mark.role == "splits":
        return _unsplit(mark.path, label[-1])
    if mark.role == "counts":
        return _counted(mark.path, label[len(label) - mark.rank :])
    if mark.role != "takes":
        return None
    if mark.axes > 1:
        return _together(mark.path, label[-mark.axes :])
    if mark.declared is None:
        return _undeclared(mark, label[-1])
    return _declared(mark.path, label[-1], tuple(mark.declared))


def _together(path: str, label: Label) -> str | None:
    """Of a norm over several axes, whose weights have an entry for each place of them."""
    atoms = tuple(atom for axis in label for atom in axis)
    if axes.in_torchs_order(atoms):
        return None
    return (
        f"{path} normalises over {_named(atoms)} as they lie; torch's maps are channels first: say "
        "of_maps=True if its twin normalises those, or of_maps=False if it reads them in this order"
    )


def _counted(path: str, label: Label) -> str | None:
    """Of an axis by its number, which is another one in torch, if these are maps."""
    places, channels = axes.kinds_of(label[1:-1]), axes.kinds_of(label[-1:])
    if not channels & {CHANNEL, LOST} and (label[-1] or not places & {*PLACES}):
        return None
    return (
        f"{path} counts axes of what comes from maps, channels last, which torch has second: say "
        "of_maps=True if dim is torch's, or of_maps=False if it is that of the array as it lies"
    )


def _undeclared(mark: Mark, atoms: Axis) -> str | None:
    if axes.in_torchs_order(atoms):
        return None
    path = mark.path
    if LOST in axes.kinds_of([atoms]):
        return (
            f"{path} reads what was made of maps in a way in which their order cannot be "
            "followed: flatten them by flaxnets.layers.Flatten() before it, or say "
            f"{AS_IT_COMES}"
        )
    if (maps := _as_they_lie(atoms)) is None:
        return (
            f"{path} reads maps flattened in the order {_named(atoms)}; torch flattens "
            f"C, H, W: transpose them to that, or say {AS_IT_COMES}"
        )
    letters = [*LETTERS[len(maps) - 1], CHANNEL]
    torchs = ", ".join([CHANNEL, *letters[:-1]])
    if atoms[-1].kind == FEATURE:  # of a Linear, before which torch's maps may lie channels last
        return (
            f"{path} reads features of the places of maps, {maps}, flattened as they lie: say "
            f"{AS_IT_COMES}, flattened_from={maps} if as {torchs}"
        )
    looks_grey = maps[0] == 1 and maps[1:2] == maps[2:]  # and as if it lay as torch's
    of_maps = "" if len(maps) == 3 and not looks_grey else "of_maps=True"
    return (
        f"{path} reads maps {maps} flattened as they lie, {', '.join(letters)}; torch flattens "
        f"{torchs}: say flattened_from={maps} in that {mark.kind}, or flatten by "
        f"flaxnets.layers.Flatten({of_maps}), or say {AS_IT_COMES}"
    )


def _unsplit(path: str, atoms: Axis) -> str | None:
    """Of features that are taken apart, to maps or in groups."""
    if axes.in_torchs_order(atoms):
        return None
    return (
        f"{path} splits {_named(atoms)}; torch flattens C, H, W: transpose the maps to that, "
        "x.transpose(0, 3, 1, 2), before they are flattened; Flatten() leaves them as they lie "
        "where a Linear of the network says flattened_from"
    )


def _declared(path: str, atoms: Axis, maps: tuple[int, ...]) -> str | None:
    """By sizes, without those of 1; what is not known to come from maps is taken for right."""
    expected = [size for size in maps if size != 1]
    lie = _as_they_lie(atoms)
    if not axes.kinds_of([atoms]) - {FEATURE} or (lie and [n for n in lie if n != 1] == expected):
        return None
    if len(expected) < 2 and [atom.size for atom in atoms] == expected:
        return None  # one axis has one order
    return (
        f"{path} says flattened_from={maps}, but reads {_named(atoms)}: say the maps that are "
        f"flattened there as they lie, or nothing if that is none"
    )


def _split(path: str, label: Label) -> str | None:
    """Of the maps that a layer reads: features are split in torch's order, channels first."""
    order = (*label[-1], *(atom for atoms in label[1:-1] for atom in atoms))
    features = [atom for atom in order if atom.kind == FEATURE]
    strides = [atom.stride for atom in features]
    outermost = [atom for atom in label[-1] if atom.kind == FEATURE][:1]
    is_first = all(atom.stride * atom.size == atom.whole for atom in outermost)
    if is_first and strides == sorted(strides, reverse=True):
        return None
    return (
        f"{path} reads maps made of a Linear's features by a reshape to (N, H, W, C); torch's "
        "view is (N, C, H, W): x.reshape(N, C, H, W).transpose(0, 2, 3, 1), or say "
        "flattened_from=() in that Linear if torch's twin splits them so too"
    )


def _as_they_lie(atoms: Axis) -> tuple[int, ...] | None:
    """The maps, if this is places in their order, and then channels."""
    *places, last = atoms
    kinds = "".join(atom.kind for atom in places)
    letters = next((each for each in ("HW", "DHW", "L") if {*kinds} <= {*each}), "")
    if not kinds or not letters or last.kind in PLACES or not axes.in_torchs_order(tuple(places)):
        return None
    if len(kinds) != len({*kinds}):
        return None
    sizes = {atom.kind: atom.size for atom in places}
    return (*(sizes.get(letter, 1) for letter in letters), last.size)


def _named(atoms: Axis) -> str:
    if LOST in axes.kinds_of([atoms]):
        return f"{axes.product(atoms)} features of an order that cannot be followed"
    names = {FEATURE: "features", ".": "others", "=": "copies"}
    return ", ".join(f"{names.get(atom.kind, atom.kind)} {atom.size}" for atom in atoms)
