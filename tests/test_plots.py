"""The pictures: what they show is what they were given."""

import numpy as np

from flaxnets import plots
from flaxnets.training import Metrics

RNG = np.random.default_rng(0)
HISTORY = [Metrics(i, 10 * i, 1 / i, 2 / i, 1 - 0.1 / i, 1.0, 10.0) for i in (1, 2, 3)]
CLASSES = ("zero", "one", "two")


def texts(axes):
    return [text.get_text() for text in axes.texts]


def test_learning_curves_have_titles_axes_legends_and_the_values():
    left, right = plots.learning_curves(HISTORY).axes
    np.testing.assert_allclose(left.lines[0].get_ydata(), [1, 1 / 2, 1 / 3])
    np.testing.assert_allclose(right.lines[0].get_ydata(), [90, 95, 96.6667], rtol=1e-6)
    for axes in (left, right):
        assert axes.get_title()
        assert axes.get_xlabel()
        assert axes.get_ylabel()
        assert axes.get_legend()


def test_the_confusion_matrix_counts_true_classes_by_row():
    figure = plots.confusion_matrix(np.array([0, 0, 0, 1, 2]), np.array([0, 0, 2, 1, 1]), CLASSES)
    axes = figure.axes[0]
    np.testing.assert_allclose(
        axes.images[0].get_array(), [[2 / 3, 0, 1 / 3], [0, 1, 0], [0, 1, 0]]
    )
    assert texts(axes) == ["2", "1", "1", "1"]
    assert "5 test images, 60.00 % right" in axes.get_title()


def test_mistakes_come_most_confident_first_with_their_names():
    images = RNG.integers(0, 256, (4, 28, 28), np.uint8)
    labels = np.array([0, 1, 2, 0])
    probabilities = np.array([[0.9, 0.1, 0], [0.6, 0.4, 0], [0.1, 0.2, 0.7], [0, 0.2, 0.8]])
    figure = plots.mistakes(images, labels, probabilities, CLASSES)
    first, second, third = figure.axes[:3]
    assert first.get_title() == "two (80.0 %)\ntrue: zero"
    assert second.get_title() == "zero (60.0 %)\ntrue: one"
    np.testing.assert_array_equal(first.images[0].get_array(), images[3])
    assert not third.images
    assert "2 mistakes in 4 test images" in figure.get_suptitle()


def test_a_run_without_mistakes_and_of_one_epoch_is_drawn(tmp_path):
    images, labels = np.zeros((3, 28, 28), np.uint8), np.arange(3)
    paths = [tmp_path / f"{name}.png" for name in ("curves", "confusion", "mistakes")]
    plots.draw_run(paths, HISTORY[:1], (images, labels), np.eye(3), CLASSES)
    assert {*tmp_path.iterdir()} == {*paths}
