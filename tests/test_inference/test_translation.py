"""Images of any size go through a network that takes few, whole and in tiles."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from mmgan_lite.inference import Translation, open_pictures
from mmgan_lite.models import LeastSquaresGANLoss, Pix2Pix


class Recorder(nn.Module):
    """Gives back what it gets, changed by a function, and keeps it."""

    def __init__(self, change=lambda images, number: images, channels=(3, 3), multiple=8, least=8):
        super().__init__()
        self.in_channels, self.out_channels = channels
        self.size_multiple, self.min_side = multiple, least
        self.seen, self.change = [], change

    def forward(self, images):
        self.seen.append(images)
        return self.change(images, len(self.seen) - 1)


def make_model(network, **settings):
    model = Pix2Pix(network, nn.Identity(), loss=LeastSquaresGANLoss(), **settings)
    return model.eval()


def translate(network, inputs, settings=None, **arguments):
    """Results in the order of the inputs."""
    translation = Translation(make_model(network, **(settings or {})), **arguments)
    pictures = open_pictures(inputs, network.in_channels)
    return [one.image for one in sorted(translation.run(pictures), key=lambda one: one.position)]


def noise(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


@pytest.mark.parametrize('size', [(16, 24), (1, 1), (5, 40), (33, 16)])
@pytest.mark.parametrize('tile', [None, 16])
def test_any_size_comes_back(size, tile):
    pixels = noise(*size, 3)
    network = Recorder(least=16)
    (image,) = translate(network, pixels, tile=tile, overlap=8)
    assert torch.equal(image, torch.from_numpy(pixels).permute(2, 0, 1))
    for seen in network.seen:
        assert all(side % 8 == 0 and side >= 16 for side in seen.shape[2:])


def test_padding_is_the_reflection():
    """Of a row 10, 20, 30, and of a height of one pixel."""
    network = Recorder(channels=(1, 1))
    translate(network, np.array([[10, 20, 30]], np.uint8))
    (seen,) = network.seen
    row = seen[0, 0, 0] * 127.5 + 127.5
    torch.testing.assert_close(row, torch.tensor([10.0, 20, 30, 20, 10, 20, 30, 20]))
    assert torch.equal(seen, seen[:, :, :1].expand_as(seen))


def test_weights_of_tiles():
    """Two tiles of 0 and of 1: from one to the other by sin(pi/2 * x)^2 over 4 pixels."""
    network = Recorder(lambda images, number: torch.full_like(images, float(number)), (1, 1), 4, 4)
    (image,) = translate(network, noise(8, 20), tile=12, overlap=4)
    assert [tuple(seen.shape[2:]) for seen in network.seen] == [(8, 12), (8, 12)]
    shares = [math.sin(math.pi / 2 * x) ** 2 for x in (0.125, 0.375, 0.625, 0.875)]
    values = [*[0.0] * 8, *shares, *[1.0] * 8]
    expected = torch.tensor([round(127.5 + 127.5 * value) for value in values], dtype=torch.uint8)
    assert torch.equal(image[0], expected.expand(8, 20))


def test_tiles_begin_at_multiples_and_reach_the_end():
    network = Recorder(multiple=8)
    pixels = np.zeros((1, 60, 3), np.uint8)
    pixels[0, :, 0] = np.arange(60)  # names the column
    translate(network, pixels, tile=24, overlap=5)
    starts = [round(float(seen[0, 0, 0, 0] * 127.5 + 127.5)) for seen in network.seen]
    assert starts == [0, 16, 32, 40]
    assert all(seen.shape[2:] == (8, 24) for seen in network.seen)


def smooth(height, width):
    """A picture of waves, as of a landscape."""
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x / a + y / b) for a, b in ((37, 91), (53, -29), (-71, 43))]
    return ((np.stack(waves, axis=2) * 0.5 + 0.5) * 255).astype(np.uint8)


def jumps(image, tile, step):
    """Largest difference of neighbors in each direction: across borders of tiles, and inside."""
    at_border, inside = [], []
    for axis in (1, 2):
        side = image.shape[axis]
        last = side - tile
        starts = {*range(0, last, step), last}
        borders = {start for start in starts if start} | {s + tile for s in starts if s != last}
        found = np.abs(np.diff(image.astype(float), axis=axis))
        found = found.max(axis=tuple(other for other in range(3) if other != axis))
        at_border += [found[border - 1] for border in borders]
        inside += [found[i] for i in range(side - 1) if i + 1 not in borders]
    return max(at_border), max(inside)


def test_tiles_have_no_seams():
    """Instance norm gives each tile another contrast, which shows without an overlap."""
    torch.manual_seed(1)
    # The transposed convolutions of a network that is not trained make a checkerboard of jumps.
    model = make_model(
        dict(type='ResNetTranslator', base_channels=8, num_blocks=2, upsampling='resize')
    )
    pixels, found = smooth(152, 200), {}
    for overlap in (0, 32):
        (image,) = Translation(model, tile=64, overlap=overlap)([pixels])
        found[overlap] = jumps(image.numpy(), 64, 64 - overlap)
        assert torch.equal(Translation(model, tile=64, overlap=overlap)([pixels])[0], image)
    (whole,) = Translation(model)([pixels])
    assert found[0][0] > found[0][1]
    assert found[32][0] <= found[32][1]
    assert found[32][0] <= max(jumps(whole.numpy(), 64, 32))


def test_one_tile_is_the_whole():
    torch.manual_seed(0)
    model = make_model(dict(type='ResNetTranslator', base_channels=4, num_blocks=1))
    pixels = noise(40, 30, 3)
    (whole,) = Translation(model)([pixels])
    (tile,) = Translation(model, tile=64, overlap=0)([pixels])
    assert torch.equal(whole, tile)


def test_equal_sizes_are_batched():
    network = Recorder()
    sizes = [(8, 8), (16, 8), (8, 8), (8, 8), (16, 8)]
    inputs = [noise(*size, 3) + np.uint8(i) for i, size in enumerate(sizes)]
    images = translate(network, inputs, batch_size=2)
    assert sorted(tuple(seen.shape) for seen in network.seen) == sorted(
        [(2, 3, 8, 8), (1, 3, 8, 8), (2, 3, 16, 8)]
    )
    for pixels, image in zip(inputs, images, strict=True):
        assert torch.equal(image, torch.from_numpy(pixels).permute(2, 0, 1))


def test_statistics_and_noise_of_the_picture_alone():
    """As pix2pix tests: a batch of one, and dropout that does not depend on what came before."""
    unet = dict(type='UNetTranslator', base_channels=2, levels=6)
    model = make_model(unet, test_statistics='batch')
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean += 5
    first, second = noise(64, 64, 3), 255 - noise(64, 64, 3)
    translation = Translation(model)
    (alone,) = translation([second])
    translation([first])
    state = torch.get_rng_state()
    (after,) = translation([second])
    assert torch.equal(alone, after)
    assert torch.equal(torch.get_rng_state(), state)
    model.test_statistics = 'running'
    assert not torch.equal(Translation(model)([second])[0], alone)
    model.test_statistics = 'batch'
    with pytest.raises(ValueError, match=r"batch_size must be 1 for .*test_statistics='batch'.* 2"):
        Translation(model, batch_size=2)


def test_alpha_is_kept_or_composited():
    pixels = noise(8, 8, 4)
    pixels[:4, :, 3] = 0
    network = Recorder()
    (image,) = translate(network, pixels)
    assert torch.equal(image[3], torch.from_numpy(pixels[:, :, 3]))
    assert (network.seen[0][:, :, :4] == 1).all()  # white, where nothing is seen
    assert torch.equal(translate(network, pixels, alpha='composite')[0], image[:3])
    # Gray and alpha have no PNG of 16 bits.
    settings = dict(data_preprocessor=dict(type='ImageBatchPreprocessor', bit_depth=16))
    (deep,) = translate(Recorder(channels=(3, 1), change=lambda x, _: x[:, :1]), pixels, settings)
    assert deep.dtype == torch.uint16
    assert torch.equal(deep.int(), torch.stack([*[deep[0].int()] * 3, deep[3].int()]))
    assert torch.equal(deep[3].int(), torch.from_numpy(pixels[:, :, 3]).int() * 257)


def test_networks_of_four_channels_take_alpha_themselves():
    pixels = noise(8, 8, 4) | 1
    (image,) = translate(Recorder(channels=(4, 4)), pixels)
    assert torch.equal(image, torch.from_numpy(pixels).permute(2, 0, 1))
    change = dict(change=lambda images, _: images[:, :3], channels=(4, 3))
    assert len(translate(Recorder(**change), pixels)[0]) == 3


def test_size_is_that_of_training():
    """Covered and cut, as a dataset does it."""
    network = Recorder()
    pixels = np.concatenate([np.zeros((20, 40, 3)), np.full((20, 40, 3), 255)], 1).astype(np.uint8)
    (image,) = translate(network, pixels, size=(16, 32))
    assert image.shape == (3, 16, 32)
    assert (image[:, :, 0] == 0).all()
    assert (image[:, :, -1] == 255).all()


def test_a_picture_that_cannot_be_read_is_not_the_end(tmp_path):
    (tmp_path / 'a.png').write_bytes(b'nothing')
    pictures = open_pictures([tmp_path / 'a.png', noise(8, 8, 3)])
    first, second = Translation(make_model(Recorder())).run(pictures)
    assert (first.position, first.image, first.error) == (0, None, 'no image')
    assert second.image is not None


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(tile=20), r'tile must be a multiple of 8, at least 8, .* got 20. Pass tile=16'),
        (dict(tile=4), r'tile must be .*got 4. Pass tile=8'),
        (dict(tile=64), r'overlap must be at most tile - 8, which is 56, .*got 64. Pass a small'),
        (dict(overlap=-1, tile=64), r'overlap must be an int of at least 0, got -1'),
        (dict(batch_size=0), r'batch_size must be an int of at least 1, got 0'),
        (dict(alpha='drop'), r"alpha must be one of 'keep', 'composite', got 'drop'"),
        (dict(domain='b2a'), r"domain must be one of 'a2b', got 'b2a'"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        Translation(make_model(Recorder()), **arguments)


def test_networks_that_do_not_fit():
    with pytest.raises(ValueError, match=r'generator must have in_channels, .* but Tanh has not'):
        Translation(make_model(nn.Tanh()))
    network = Recorder(change=lambda images, _: images[:, :, ::2])
    with pytest.raises(ValueError, match=r'images of the size that it takes, got 4x8 of 8x8'):
        Translation(make_model(network))([noise(8, 8, 3)])


def test_values_that_are_not_finite():
    model = make_model(Recorder(change=lambda images, _: images / 0))
    with pytest.raises(ValueError, match=r'must give finite images, .*\(all weights are finite\)'):
        Translation(model)([noise(8, 8, 3)])
    model = make_model(dict(type='ResNetTranslator', base_channels=2, num_blocks=1))
    model.generator.layers[1].weight.data[0] = math.inf
    with pytest.raises(ValueError, match=r'\(layers.1.weight is not finite\)'):
        Translation(model)
