"""Classifiers of sequences by LSTM and GRU: of words, of a picture's rows, of measurements."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class LSTMClassifier(nn.Module):
    """Words, both ways; the last hidden states of both are classified."""

    def __init__(self, vocab_size, embedding_dim, hidden_dim, output_dim, n_layers=2, dropout=0.5):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embedding_dim, padding_idx=0)
        self.rnn = nn.LSTM(
            embedding_dim,
            hidden_dim,
            num_layers=n_layers,
            bidirectional=True,
            dropout=dropout,
            batch_first=True,
        )
        self.fc = nn.Linear(hidden_dim * 2, output_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, text):
        embedded = self.dropout(self.embedding(text))
        output, (hidden, cell) = self.rnn(embedded)
        # of the last layer: forwards, backwards
        hidden = self.dropout(torch.cat((hidden[-2, :, :], hidden[-1, :, :]), dim=1))
        return self.fc(hidden)


class GRUNet(nn.Module):
    """Measurements; begins at zeros of its own making, and classifies the last step."""

    def __init__(self, input_dim, hidden_dim, output_dim, n_layers):
        super(GRUNet, self).__init__()
        self.hidden_dim = hidden_dim
        self.n_layers = n_layers

        self.gru = nn.GRU(input_dim, hidden_dim, n_layers, batch_first=True)
        self.fc = nn.Linear(hidden_dim, output_dim)
        self.relu = nn.ReLU()

    def init_hidden(self, x):
        return torch.zeros(
            self.n_layers, x.size(0), self.hidden_dim, device=x.device, dtype=x.dtype
        )

    def forward(self, x):
        out, h = self.gru(x, self.init_hidden(x))
        out = self.fc(self.relu(out[:, -1]))
        return out


class MnistRNN(nn.Module):
    """The rows of a picture are the steps, as in pytorch/examples."""

    def __init__(self, hidden=64):
        super(MnistRNN, self).__init__()
        self.rnn = nn.LSTM(input_size=28, hidden_size=hidden, batch_first=True)
        self.batchnorm = nn.BatchNorm1d(hidden)
        self.dropout1 = nn.Dropout2d(0.25)
        self.dropout2 = nn.Dropout2d(0.5)
        self.fc1 = nn.Linear(hidden, hidden // 2)
        self.fc2 = nn.Linear(hidden // 2, 10)

    def forward(self, input):
        # (N, 1, 28, 28) -> (N, 28, 28)
        input = input.reshape(-1, 28, 28)
        output, hidden = self.rnn(input)

        # the last step is the one that has seen all rows
        output = output[:, -1, :]
        output = self.batchnorm(output)
        output = self.dropout1(output)
        output = self.fc1(output)
        output = F.relu(output)
        output = self.dropout2(output)
        output = self.fc2(output)
        output = F.log_softmax(output, dim=1)
        return output


class ConvGRU(nn.Module):
    """Convolutions shorten the sequence; a plain RNN and a GRU read it, one after the other."""

    def __init__(self, channels=4, width=32, classes=6):
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv1d(channels, width, 5, stride=2, padding=2), nn.BatchNorm1d(width), nn.SiLU()
        )
        self.recurrent = nn.ModuleDict(
            {"plain": nn.RNN(width, width, nonlinearity="relu"), "gated": nn.GRU(width, width)}
        )
        self.classify = nn.Linear(width, classes, bias=False)

    def forward(self, x):
        x = self.conv(x).permute(2, 0, 1)  # (N, C, L) -> (L, N, C)
        for name in ["plain", "gated"]:
            x, last = self.recurrent[name](x)
        return self.classify(last.squeeze(0)), x.transpose(0, 1)


def small_lstm():
    return LSTMClassifier(20, 4, 5, 3)


def real_lstm():
    return LSTMClassifier(5000, 100, 256, 2)


def example_lstm():
    return torch.randint(20, (3, 7), generator=torch.Generator().manual_seed(0))


def real_example_lstm():
    return torch.randint(5000, (4, 30), generator=torch.Generator().manual_seed(0))


def small_gru():
    return GRUNet(4, 5, 3, n_layers=2)


def real_gru():
    return GRUNet(9, 256, 6, n_layers=2)


def example_gru():
    return torch.randn(3, 6, 4, generator=torch.Generator().manual_seed(0))


def real_example_gru():
    return torch.randn(4, 50, 9, generator=torch.Generator().manual_seed(0))


def small_mnist():
    return MnistRNN(hidden=6)


def real_mnist():
    return MnistRNN()


def example_mnist():
    return torch.rand(3, 1, 28, 28, generator=torch.Generator().manual_seed(0))


real_example_mnist = example_mnist


def small_conv():
    return ConvGRU(width=5)


def real_conv():
    return ConvGRU()


def example_conv():
    return torch.randn(3, 4, 14, generator=torch.Generator().manual_seed(0))


def real_example_conv():
    return torch.randn(4, 4, 128, generator=torch.Generator().manual_seed(0))
