"""Train one of the networks of the PyTorch tutorials: ``python train.py``.

With no arguments: the CNN on scikit-learn's handwritten digits, 15 epochs, about 20 s on two
cores, compilation included, to about 98 % test accuracy. On MNIST, with the folder of its files,
about 30 s an epoch on two cores, to 98.6 % or better after three:

    python train.py --dataset mnist --data-dir DIR

``python train.py --help`` lists the rest. It is ``flaxnets train`` under another name.
"""

import sys

from flaxnets.cli.program import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
