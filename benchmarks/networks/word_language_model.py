"""The language models of pytorch/examples: a recurrent one, whose decoder may be its embedding
again, and a Transformer with sines for positions and a causal mask. Time comes first: (T, N)."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F


class RNNModel(nn.Module):
    """An embedding, a recurrent module and a decoder; takes a state, and gives the next one."""

    def __init__(self, rnn_type, ntoken, ninp, nhid, nlayers, dropout=0.5, tie_weights=False):
        super(RNNModel, self).__init__()
        self.ntoken = ntoken
        self.drop = nn.Dropout(dropout)
        self.encoder = nn.Embedding(ntoken, ninp)
        self.rnn = getattr(nn, rnn_type)(ninp, nhid, nlayers, dropout=dropout)
        self.decoder = nn.Linear(nhid, ntoken)

        # "Using the Output Embedding to Improve Language Models", Press and Wolf
        if tie_weights:
            if nhid != ninp:
                raise ValueError(f"tied: nhid must be ninp, but {nhid} is not {ninp}")
            self.decoder.weight = self.encoder.weight

        self.init_weights()

    def init_weights(self):
        initrange = 0.1
        nn.init.uniform_(self.encoder.weight, -initrange, initrange)
        nn.init.zeros_(self.decoder.bias)
        nn.init.uniform_(self.decoder.weight, -initrange, initrange)

    def forward(self, input, hidden):
        emb = self.drop(self.encoder(input))
        output, hidden = self.rnn(emb, hidden)
        output = self.drop(output)
        decoded = self.decoder(output)
        decoded = decoded.view(-1, self.ntoken)
        return F.log_softmax(decoded, dim=1), hidden


class PositionalEncoding(nn.Module):
    r"""Adds sines and cosines of the position to each token.

    .. math::
        PE(pos, 2i) = \sin(pos / 10000^{2i / d})

        PE(pos, 2i + 1) = \cos(pos / 10000^{2i / d})
    """

    def __init__(self, d_model, dropout=0.1, max_len=5000):
        super(PositionalEncoding, self).__init__()
        self.dropout = nn.Dropout(p=dropout)

        pe = torch.zeros(max_len, d_model)
        position = torch.arange(0, max_len, dtype=torch.float).unsqueeze(1)
        div_term = torch.exp(torch.arange(0, d_model, 2).float() * (-math.log(10000.0) / d_model))
        pe[:, 0::2] = torch.sin(position * div_term)
        pe[:, 1::2] = torch.cos(position * div_term)
        pe = pe.unsqueeze(0).transpose(0, 1)
        self.register_buffer("pe", pe)

    def forward(self, x):
        x = x + self.pe[: x.size(0), :]
        return self.dropout(x)


class TransformerModel(nn.Module):
    """Embedding, positions, encoder layers under a causal mask, decoder."""

    def __init__(self, ntoken, ninp, nhead, nhid, nlayers, dropout=0.5, max_len=5000):
        super(TransformerModel, self).__init__()
        self.pos_encoder = PositionalEncoding(ninp, dropout, max_len)
        encoder_layers = nn.TransformerEncoderLayer(ninp, nhead, nhid, dropout)
        self.transformer_encoder = nn.TransformerEncoder(encoder_layers, nlayers)
        self.encoder = nn.Embedding(ntoken, ninp)
        self.ninp = ninp
        self.decoder = nn.Linear(ninp, ntoken)

        self.init_weights()

    def _generate_square_subsequent_mask(self, sz):
        return torch.log(torch.tril(torch.ones(sz, sz)))

    def init_weights(self):
        initrange = 0.1
        nn.init.uniform_(self.encoder.weight, -initrange, initrange)
        nn.init.zeros_(self.decoder.bias)
        nn.init.uniform_(self.decoder.weight, -initrange, initrange)

    def forward(self, src, has_mask=True):
        mask = None
        if has_mask:
            mask = self._generate_square_subsequent_mask(src.size(0)).to(src.device)

        src = self.encoder(src) * math.sqrt(self.ninp)
        src = self.pos_encoder(src)
        output = self.transformer_encoder(src, mask=mask)
        output = self.decoder(output)
        return F.log_softmax(output, dim=-1)


class MaskKept(nn.Transformer):
    """The newer form: is an nn.Transformer whose decoder is a Linear, and keeps its mask."""

    def __init__(self, ntoken, d_model, nhead, dim_feedforward, num_layers, dropout=0.5):
        super(MaskKept, self).__init__(
            d_model=d_model,
            nhead=nhead,
            dim_feedforward=dim_feedforward,
            num_encoder_layers=num_layers,
            num_decoder_layers=1,
        )
        self.model_type = "Transformer"
        self.src_mask = None
        self.pos_encoder = PositionalEncoding(d_model, dropout, max_len=100)
        self.input_emb = nn.Embedding(ntoken, d_model)
        self.ninp = d_model
        self.decoder = nn.Linear(d_model, ntoken)

    def _generate_square_subsequent_mask(self, sz):
        return torch.log(torch.tril(torch.ones(sz, sz)))

    def forward(self, src, has_mask=True):
        if has_mask:
            device = src.device
            if self.src_mask is None or self.src_mask.size(0) != len(src):
                mask = self._generate_square_subsequent_mask(len(src)).to(device)
                self.src_mask = mask
        else:
            self.src_mask = None

        src = self.input_emb(src) * math.sqrt(self.ninp)
        src = self.pos_encoder(src)
        output = self.encoder(src, mask=self.src_mask)
        output = self.decoder(output)
        return F.log_softmax(output, dim=-1)


def small_rnn():
    return RNNModel("GRU", 20, 6, 6, 2, dropout=0.2, tie_weights=True)


def real_rnn():
    return RNNModel("GRU", 5000, 200, 200, 2, dropout=0.2, tie_weights=True)


def example_rnn():
    generator = torch.Generator().manual_seed(0)
    words = torch.randint(20, (5, 3), generator=generator)
    return words, torch.randn(2, 3, 6, generator=generator)


def real_example_rnn():
    generator = torch.Generator().manual_seed(0)
    words = torch.randint(5000, (35, 4), generator=generator)
    return words, torch.randn(2, 4, 200, generator=generator)


def small_transformer():
    return TransformerModel(20, 6, 2, 8, 2, dropout=0.2, max_len=50)


def real_transformer():
    return TransformerModel(5000, 200, 2, 200, 2, dropout=0.2)


def example_transformer():
    return torch.randint(20, (5, 3), generator=torch.Generator().manual_seed(0))


def real_example_transformer():
    return torch.randint(5000, (35, 4), generator=torch.Generator().manual_seed(0))


def small_mask_kept():
    return MaskKept(20, 6, 2, 8, 1, dropout=0.2)


def real_mask_kept():
    return MaskKept(5000, 200, 2, 200, 2, dropout=0.2)


example_mask_kept, real_example_mask_kept = example_transformer, real_example_transformer
