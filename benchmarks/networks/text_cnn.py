"""Convolutions over sentences, after Kim: in two dimensions on whole word vectors, and in one."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class TextCNN(nn.Module):
    def __init__(self, vocab, dim=300, kernel_num=100, kernel_sizes=(3, 4, 5), classes=2):
        super(TextCNN, self).__init__()
        Ci = 1
        Co = kernel_num
        self.embed = nn.Embedding(vocab, dim)
        self.convs = nn.ModuleList([nn.Conv2d(Ci, Co, (K, dim)) for K in kernel_sizes])
        self.dropout = nn.Dropout(0.5)
        self.fc1 = nn.Linear(len(kernel_sizes) * Co, classes)

    def forward(self, x):
        x = self.embed(x)  # (N, W, D)
        x = x.unsqueeze(1)  # (N, Ci, W, D)
        x = [F.relu(conv(x)).squeeze(3) for conv in self.convs]  # [(N, Co, W), ...]
        x = [F.max_pool1d(i, i.size(2)).squeeze(2) for i in x]  # [(N, Co), ...]
        x = torch.cat(x, 1)
        x = self.dropout(x)  # (N, len(kernel_sizes) * Co)
        logit = self.fc1(x)  # (N, classes)
        return logit


class CNN1d(nn.Module):
    def __init__(
        self, vocab_size, embedding_dim, n_filters, filter_sizes, output_dim, dropout, pad_idx
    ):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embedding_dim, padding_idx=pad_idx)
        self.convs = nn.ModuleList(
            [
                nn.Conv1d(in_channels=embedding_dim, out_channels=n_filters, kernel_size=fs)
                for fs in filter_sizes
            ]
        )
        self.fc = nn.Linear(len(filter_sizes) * n_filters, output_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, text):
        # text: batch, words
        embedded = self.embedding(text)
        # embedded: batch, words, dim
        embedded = embedded.permute(0, 2, 1)
        # embedded: batch, dim, words
        conved = [F.relu(conv(embedded)) for conv in self.convs]
        # conved: one for each size, of which less than words remain
        pooled = [conv.max(dim=2)[0] for conv in conved]
        # pooled: the largest of each filter
        cat = self.dropout(torch.cat(pooled, dim=1))
        # cat: batch, filters of all sizes
        return self.fc(cat)


def small():
    return TextCNN(20, dim=5, kernel_num=4, kernel_sizes=(2, 3))


def real():
    return TextCNN(5000)


def example():
    return torch.randint(20, (3, 9), generator=torch.Generator().manual_seed(0))


def real_example():
    return torch.randint(5000, (3, 40), generator=torch.Generator().manual_seed(0))


def small_1d():
    return CNN1d(20, 5, 4, [2, 3], output_dim=1, dropout=0.5, pad_idx=1)


def real_1d():
    return CNN1d(5000, 100, 100, [3, 4, 5], output_dim=1, dropout=0.5, pad_idx=1)


def example_1d():
    text = torch.randint(2, 20, (3, 9), generator=torch.Generator().manual_seed(0))
    text[1, 6:] = 1  # a short sentence, padded
    return text


def real_example_1d():
    return torch.randint(5000, (3, 40), generator=torch.Generator().manual_seed(0))
