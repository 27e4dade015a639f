"""Prediction of a sine by LSTM cells, step by step, as in pytorch/examples; and a decoder that goes
on from its own outputs."""

import torch
import torch.nn as nn


class Sequence(nn.Module):
    def __init__(self, hidden=51):
        super(Sequence, self).__init__()
        self.hidden = hidden
        self.lstm1 = nn.LSTMCell(1, hidden)
        self.lstm2 = nn.LSTMCell(hidden, hidden)
        self.linear = nn.Linear(hidden, 1)

    def forward(self, input, future=0):
        outputs = []
        h_t = torch.zeros(input.size(0), self.hidden, dtype=input.dtype)
        c_t = torch.zeros(input.size(0), self.hidden, dtype=input.dtype)
        h_t2 = torch.zeros(input.size(0), self.hidden, dtype=input.dtype)
        c_t2 = torch.zeros(input.size(0), self.hidden, dtype=input.dtype)

        for input_t in input.split(1, dim=1):
            h_t, c_t = self.lstm1(input_t, (h_t, c_t))
            h_t2, c_t2 = self.lstm2(h_t, (h_t2, c_t2))
            output = self.linear(h_t2)
            outputs += [output]
        for i in range(future):  # beyond what was given
            h_t, c_t = self.lstm1(output, (h_t, c_t))
            h_t2, c_t2 = self.lstm2(h_t, (h_t2, c_t2))
            output = self.linear(h_t2)
            outputs += [output]
        outputs = torch.cat(outputs, dim=1)
        return outputs


class Forecaster(nn.Module):
    """Reads a history with one cell, and forecasts ``horizon`` steps with another."""

    def __init__(self, features=2, hidden=32, horizon=5):
        super().__init__()
        self.horizon = horizon
        self.encoder = nn.GRU(features, hidden, batch_first=True)
        self.cell = nn.GRUCell(features, hidden)
        self.out = nn.Linear(hidden, features)

    def forward(self, history):
        _, state = self.encoder(history)
        state = state[0]
        step = history[:, -1]
        forecast = []
        for _ in range(self.horizon):
            state = self.cell(step, state)
            step = step + self.out(state)
            forecast.append(step)
        return torch.stack(forecast, dim=1)


def small():
    return Sequence(hidden=4)


def real():
    return Sequence()


def example():
    return torch.randn(3, 5, generator=torch.Generator().manual_seed(0))


def real_example():
    return torch.randn(3, 40, generator=torch.Generator().manual_seed(0))


def small_forecaster():
    return Forecaster(hidden=4, horizon=3)


def real_forecaster():
    return Forecaster()


def example_forecaster():
    return torch.randn(3, 6, 2, generator=torch.Generator().manual_seed(0))


real_example_forecaster = example_forecaster
