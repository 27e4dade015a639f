"""Batch sizes that are written down: right for the example, wrong for every other batch."""

import torch
import torch.nn as nn


class BatchInAView(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 3)
        self.fc = nn.Linear(2 * 4 * 6, 3)

    def forward(self, x):
        x = self.conv(x)
        x = x.view(4, -1)  # refused: batch size
        return self.fc(x)


class BatchInAnAttribute(nn.Module):
    def __init__(self, batch_size=4):
        super().__init__()
        self.batch_size = batch_size
        self.fc = nn.Linear(6, 6)

    def forward(self, x):
        return self.fc(x).reshape(self.batch_size, 2, 3)  # refused: batch size


class BatchInAnExpand(nn.Module):
    def __init__(self):
        super().__init__()
        self.token = nn.Parameter(torch.zeros(1, 1, 6))
        self.fc = nn.Linear(6, 3)

    def forward(self, x):
        token = self.token.expand(4, -1, -1)  # refused: batch size
        x = torch.cat([token, x], dim=1)  # refused: batch size
        return self.fc(x)


class BatchInAState(nn.Module):
    def __init__(self, batch_size=4, hidden=5):
        super().__init__()
        self.rnn = nn.GRU(6, hidden, batch_first=True)
        self.register_buffer("start", torch.zeros(1, batch_size, hidden))

    def forward(self, x):
        out, _ = self.rnn(x, self.start)  # refused: batch size
        return out


class BatchAsElements(nn.Module):
    """The -1 is the features' here, as 4 x 6 values are laid out in 4 rows."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 3)

    def forward(self, x):
        x = x.flatten().view(4, -1)  # refused: batch size
        return self.fc(x)


class BatchSplitInSamples(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 3)

    def forward(self, x):
        a, b, c, d = torch.unbind(x, dim=0)  # refused: batch size
        return self.fc(torch.stack([d, c, b, a]))


EXAMPLES = {
    BatchInAView: (4, 3, 6, 8),
    BatchInAnAttribute: (4, 6),
    BatchInAnExpand: (4, 3, 6),
    BatchInAState: (4, 3, 6),
    BatchAsElements: (4, 6),
    BatchSplitInSamples: (4, 6),
}
