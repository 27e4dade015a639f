"""ResNet-20 for CIFAR-10 as in the paper's section 4.2, whose shortcuts have no parameters, and a
wide one that normalizes before it convolves."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.nn.init as init


class LambdaLayer(nn.Module):
    def __init__(self, lambd):
        super(LambdaLayer, self).__init__()
        self.lambd = lambd

    def forward(self, x):
        return self.lambd(x)


class BasicBlock(nn.Module):
    expansion = 1

    def __init__(self, in_planes, planes, stride=1, option="A"):
        super(BasicBlock, self).__init__()
        self.conv1 = nn.Conv2d(in_planes, planes, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, stride=1, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)

        self.shortcut = nn.Sequential()
        if stride != 1 or in_planes != planes:
            if option == "A":
                # every other pixel, and channels of zeros on both sides
                extra = (planes - in_planes) // 2
                self.shortcut = LambdaLayer(
                    lambda x: F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, extra, extra), "constant", 0)
                )
            elif option == "B":
                self.shortcut = nn.Sequential(
                    nn.Conv2d(in_planes, self.expansion * planes, 1, stride=stride, bias=False),
                    nn.BatchNorm2d(self.expansion * planes),
                )

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += self.shortcut(x)
        out = F.relu(out)
        return out


class ResNet(nn.Module):
    def __init__(self, num_blocks, num_classes=10, width=16, option="A"):
        super(ResNet, self).__init__()
        self.in_planes = width

        self.conv1 = nn.Conv2d(3, width, kernel_size=3, stride=1, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.layer1 = self._make_layer(width, num_blocks[0], 1, option)
        self.layer2 = self._make_layer(width * 2, num_blocks[1], 2, option)
        self.layer3 = self._make_layer(width * 4, num_blocks[2], 2, option)
        self.linear = nn.Linear(width * 4, num_classes)

        self.apply(_weights_init)

    def _make_layer(self, planes, num_blocks, stride, option):
        strides = [stride] + [1] * (num_blocks - 1)
        layers = []
        for stride in strides:
            layers.append(BasicBlock(self.in_planes, planes, stride, option))
            self.in_planes = planes * BasicBlock.expansion
        return nn.Sequential(*layers)

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.layer1(out)
        out = self.layer2(out)
        out = self.layer3(out)
        out = F.avg_pool2d(out, out.size()[3])
        out = out.view(out.size(0), -1)
        out = self.linear(out)
        return out


def _weights_init(m):
    if isinstance(m, nn.Linear) or isinstance(m, nn.Conv2d):
        init.kaiming_normal_(m.weight)


class PreActBlock(nn.Module):
    def __init__(self, in_planes, out_planes, stride, drop_rate=0.0):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(in_planes)
        self.conv1 = nn.Conv2d(in_planes, out_planes, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_planes)
        self.conv2 = nn.Conv2d(out_planes, out_planes, 3, 1, 1, bias=False)
        self.drop_rate = drop_rate
        self.equal_in_out = in_planes == out_planes
        self.conv_shortcut = (
            None if self.equal_in_out else nn.Conv2d(in_planes, out_planes, 1, stride, bias=False)
        )

    def forward(self, x):
        if not self.equal_in_out:
            # the shortcut too starts from what is normalized
            x = F.relu(self.bn1(x))
            out = x
        else:
            out = F.relu(self.bn1(x))
        out = F.relu(self.bn2(self.conv1(out)))
        if self.drop_rate > 0:
            out = F.dropout(out, p=self.drop_rate, training=self.training)
        out = self.conv2(out)
        return torch.add(x if self.equal_in_out else self.conv_shortcut(x), out)


class WideResNet(nn.Module):
    def __init__(self, depth=1, widen=4, first=16, classes=10, drop_rate=0.3):
        super().__init__()
        widths = [first, first * widen, first * widen * 2]
        self.conv1 = nn.Conv2d(3, first, 3, 1, 1, bias=False)
        self.groups = nn.ModuleList()
        for k, (n_in, n_out) in enumerate(zip(widths[:-1], widths[1:])):
            group = nn.ModuleList([PreActBlock(n_in, n_out, 1 if k == 0 else 2, drop_rate)])
            group.extend(PreActBlock(n_out, n_out, 1, drop_rate) for _ in range(depth - 1))
            self.groups.append(group)
        self.bn = nn.BatchNorm2d(widths[-1], momentum=0.01)
        self.fc = nn.Linear(widths[-1], classes)

    def forward(self, x):
        x = self.conv1(x)
        for group in self.groups:
            for block in group:
                x = block(x)
        x = F.leaky_relu(self.bn(x), negative_slope=0.1, inplace=True)
        return self.fc(x.mean(dim=(2, 3)))


def small():
    return ResNet([2, 1, 1], width=2)


def real():
    return ResNet([3, 3, 3])


def example():
    return torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def real_example():
    return torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def small_wide():
    return WideResNet(depth=2, widen=2, first=2)


def real_wide():
    return WideResNet(depth=2)


example_wide, real_example_wide = example, real_example
