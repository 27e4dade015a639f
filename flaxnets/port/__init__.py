"""A network of one's own: ``torch.nn.Module`` -> Flax source, weights and proof."""

from flaxnets.port.offences import Unsupported
from flaxnets.port.ported import Ported
from flaxnets.port.porting import port

__all__ = ["Ported", "Unsupported", "port"]
