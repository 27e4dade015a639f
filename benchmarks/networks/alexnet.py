"""AlexNet, as "one weird trick" has it, in torchvision's form."""

import torch
import torch.nn as nn


class AlexNet(nn.Module):
    def __init__(self, num_classes: int = 1000, dropout: float = 0.5, width: int = 64) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, width, kernel_size=11, stride=4, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=3, stride=2),
            nn.Conv2d(width, width * 3, kernel_size=5, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=3, stride=2),
            nn.Conv2d(width * 3, width * 6, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(width * 6, width * 4, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(width * 4, width * 4, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=3, stride=2),
        )
        self.avgpool = nn.AdaptiveAvgPool2d((6, 6))
        self.classifier = nn.Sequential(
            nn.Dropout(p=dropout),
            nn.Linear(width * 4 * 6 * 6, width * 64),
            nn.ReLU(inplace=True),
            nn.Dropout(p=dropout),
            nn.Linear(width * 64, width * 64),
            nn.ReLU(inplace=True),
            nn.Linear(width * 64, num_classes),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.features(x)
        x = self.avgpool(x)
        x = torch.flatten(x, 1)
        x = self.classifier(x)
        return x


def small() -> AlexNet:
    return AlexNet(num_classes=5, width=1)


def real() -> AlexNet:
    return AlexNet()


def example() -> torch.Tensor:
    return torch.randn(2, 3, 80, 96, generator=torch.Generator().manual_seed(0))


def real_example() -> torch.Tensor:
    return torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
