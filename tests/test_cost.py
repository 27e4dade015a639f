"""What a network costs, against what can be counted by hand."""

import functools

import pytest

import flaxnets
from flaxnets.cost import cost

N = 8


@pytest.fixture(scope="module", params=flaxnets.MODELS)
def found(request):
    return request.param, of_network(request.param)


@functools.cache
def of_network(name):
    return cost(flaxnets.MODELS[name](), N)


def test_parameters_are_those_of_the_network(found):
    name, result = found
    expected = {"cnn": 1_199_882, "mlp": 669_706, "softmax_mlp": 535_818}  # what torch counts
    assert sum(layer.parameters for layer in result.layers) == expected[name]


def test_layers_are_those_of_torch_with_the_shapes_of_their_outputs():
    layers = {layer.name: layer.output for layer in of_network("cnn").layers}
    assert layers == {
        "conv1": (N, 26, 26, 32),
        "conv2": (N, 24, 24, 64),
        "dropout1": (N, 12, 12, 64),
        "fc1": (N, 128),
        "dropout2": (N, 128),
        "fc2": (N, 10),
    }


def test_a_forward_pass_has_two_operations_a_weight_and_place_and_one_a_bias():
    layers = {layer.name: layer.forward for layer in of_network("cnn").layers}
    assert layers["conv1"] == N * 26 * 26 * 32 * (2 * 9 + 1)
    assert layers["conv2"] == N * 24 * 24 * 64 * (2 * 9 * 32 + 1)
    assert layers["fc1"] == N * 128 * (2 * 9216 + 1)
    assert layers["dropout1"] == 0


def test_training_has_a_second_product_for_the_weights_and_a_third_for_the_input():
    layers = of_network("mlp").layers
    products = {layer.name: (2 * N * layer.parameters, layer.training) for layer in layers}
    for name, times in (("0", 2), ("2", 3), ("4", 3)):  # nobody needs the gradient of the images
        product, training = products[f"linear_relu_stack.{name}"]
        assert training == pytest.approx(times * product, rel=0.02)  # biases: 1 in 512 or fewer


def test_the_whole_is_its_layers_and_little_else(found):
    _, result = found
    for total, parts in (
        (result.forward.operations, [layer.forward for layer in result.layers]),
        (result.training.operations, [layer.training for layer in result.layers]),
    ):
        assert sum(parts) <= total
    assert result.training.operations < 4 * result.forward.operations + 20 * 1_199_882  # Adam


def test_arguments_are_parameters_moments_and_images(found):
    _, result = found
    parameters = sum(layer.parameters for layer in result.layers)
    images = N * 28 * 28
    # besides these labels, weights, keys, counters and the learning rate: less than 200 bytes
    assert 0 <= result.forward.arguments - 4 * (parameters + images) < 200
    assert 0 <= result.training.arguments - 4 * (3 * parameters + images) < 200
    assert result.forward.results == 4 * 10 * N


def test_operations_do_not_depend_on_how_this_machine_convolves():
    small = {"channels": (2, 3), "hidden": 4}
    one, two = (cost(flaxnets.CNN(convolution=c, **small), N) for c in ("lax", "patches"))
    assert one.layers == two.layers
    assert one.training.operations == two.training.operations
    assert one.training.temporary != two.training.temporary  # that of the real program
