import math

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn

import mmgan_lite
from mmgan_lite.models import R1Regularizer, R3GANDiscriminator, R3GANGenerator
from mmgan_lite.models.layers import FilteredDownsample, FilteredUpsample
from mmgan_lite.models.networks.r3gan import R3GANBlock
from mmgan_lite.registry import MODELS


def test_is_the_identity_at_first():
    features = torch.randn(2, 8, 5, 5)
    assert torch.equal(R3GANBlock(8, 2, 4, num_blocks=3)(features), features)


def test_matches_the_formula():
    block = R3GANBlock(4, 2, 2, num_blocks=3)
    first, grouped, last = (layer for layer in block.layers if isinstance(layer, nn.Conv2d))
    for parameter in block.parameters():
        nn.init.normal_(parameter)
    features = torch.randn(2, 4, 5, 5)
    inner = torch.einsum('oi,nihw->nohw', first.weight[:, :, 0, 0], features)
    inner = F.leaky_relu(inner + first.bias[:, None, None], 0.2)
    halves = [
        F.conv2d(half, weight, padding=1)
        for half, weight in zip(inner.chunk(2, 1), grouped.weight.chunk(2), strict=True)
    ]
    inner = F.leaky_relu(torch.cat(halves, 1) + grouped.bias[:, None, None], 0.2)
    out = features + torch.einsum('oi,nihw->nohw', last.weight[:, :, 0, 0], inner)
    assert last.bias is None
    torch.testing.assert_close(block(features), out, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize('num_blocks', [1, 16])
def test_variance_inside_falls_with_depth(num_blocks):
    """Each layer multiplies the mean square by L^(-1/2): LeakyReLU's loss is made up for."""
    block = R3GANBlock(32, 2, 4, num_blocks)
    features = torch.randn(64, 32, 12, 12)
    squares = []
    for index in (1, 3):
        inner = block.layers[: index + 1](features.clone())[..., 2:-2, 2:-2]  # away from the zeros
        squares.append(inner.square().mean().item())
    factor = 1 / math.sqrt(num_blocks)
    assert squares == pytest.approx([factor, factor**2], rel=0.15)


def test_cardinality_must_divide():
    message = r'cardinality must divide expansion \* channels, got 6 for 2 \* 8 = 16. Pass card'
    with pytest.raises(ValueError, match=message):
        R3GANBlock(8, 2, 6, num_blocks=1)


def count(network):
    return sum(parameter.numel() for parameter in network.parameters())


def test_parameter_count_of_generator():
    # A block: 1x1 to twice the channels, grouped 3x3 on 16 channels a group, 1x1 back; two biases.
    block = 256 * 512 + 512 + 512 * 16 * 9 + 512 + 512 * 256
    basis = 256 * 7 * 7 + 64 * 256
    assert count(R3GANGenerator()) == basis + 6 * block + 256 == 2_050_560
    # With labels: ten vectors of 64, and 64 more inputs.
    assert count(R3GANGenerator(num_classes=10)) == 2_050_560 + 10 * 64 + 64 * 256


def test_stages_of_other_widths_of_generator():
    """A 1x1 before the upsampling where the channels change, and none where they do not."""
    network = R3GANGenerator(8, (3, 32, 32), (16, 16, 8, 4), (1, 2, 1, 1), (8, 8, 4, 2))
    kinds = [type(layer) for layer in network.layers]
    block, up, convolution = R3GANBlock, FilteredUpsample, nn.Conv2d
    first, rest = [block, up, block, block], [convolution, up, block]
    assert kinds == [*first, *rest, *rest, convolution]
    blocks = [layer for layer in network.layers if isinstance(layer, block)]
    assert [b.layers[2].groups for b in blocks] == [8, 8, 8, 4, 2]
    convolutions = [layer for layer in network.layers if isinstance(layer, convolution)]
    assert [tuple(c.weight.shape) for c in convolutions] == [
        (8, 16, 1, 1),
        (4, 8, 1, 1),
        (3, 4, 1, 1),
    ]
    assert not any(c.bias is not None for c in convolutions)


def test_start_is_the_basis_times_the_coefficients():
    network = R3GANGenerator(4, (1, 28, 20), 8, 1, 4, num_classes=3, embedding_dim=5)
    assert network.basis.shape == (8, 7, 5)
    latents, labels = torch.randn(2, 4), torch.tensor([2, 0])
    seen = []
    network.layers[0].register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    network(latents, labels)
    joined = torch.cat([latents, network.label_embedding.weight[labels]], 1)
    expected = torch.einsum('nz,cz,chw->nchw', joined, network.coefficients.weight, network.basis)
    torch.testing.assert_close(seen[0], expected)


@torch.no_grad()
@pytest.mark.parametrize('shape', [(3, 28, 28), (3, 32, 32), (3, 64, 64)])
def test_variance_at_every_depth(shape):
    """Near 1 at first. A block is the identity, and a 1x1 keeps the variance; upsampling takes
    what the filter does of a noise that differs from pixel to pixel, most of it the first time.
    """
    network = R3GANGenerator(64, shape, channels=32, blocks_per_stage=1, cardinality=8)
    variances = []
    for layer in network.layers:
        layer.register_forward_hook(lambda m, args, out: variances.append(out.var().item()))
    network(torch.randn(128, 64))
    assert variances[0] == pytest.approx(1, abs=0.3)
    assert all(0.2 < variance < 1.5 for variance in variances)


@torch.no_grad()
def test_variance_stays_where_blocks_are_no_longer_the_identity():
    """With a last weight as large as the others', the sum of all blocks stays of the order of 1."""
    network = R3GANGenerator(64, (3, 32, 32), channels=64, blocks_per_stage=2, cardinality=8)
    blocks = [layer for layer in network.layers if isinstance(layer, R3GANBlock)]
    assert len(blocks) == 8
    for block in blocks:
        nn.init.normal_(block.layers[-1].weight, std=128**-0.5)
    variances = []
    for block in blocks:
        block.register_forward_hook(lambda m, args, out: variances.append(out.var().item()))
    network(torch.randn(64, 64))
    assert all(0.2 < variance < 2 for variance in variances)


def test_has_no_tanh():
    network = R3GANGenerator(8, (1, 8, 8), 8, 1, 4)
    assert network(100 * torch.randn(16, 8)).abs().max() > 1


def test_bad_arguments_are_named_of_generator():
    message = r'cardinality must divide expansion \* channels, got 32 for 2 \* 24 = 48. Pass card'
    with pytest.raises(ValueError, match=message):
        R3GANGenerator(channels=24)
    with pytest.raises(ValueError, match=r'blocks_per_stage must be a positive int, or 3 of them'):
        R3GANGenerator(blocks_per_stage=(1, 2))
    with pytest.raises(ValueError, match=r'expansion must be an int of at least 1, got 0'):
        R3GANGenerator(expansion=0)
    with pytest.raises(ValueError, match=r'embedding_dim must be an int of at least 1, got 0'):
        R3GANGenerator(embedding_dim=0)


def test_parameter_count_of_discriminator():
    # A block: 1x1 to twice the channels, grouped 3x3 on 16 channels a group, 1x1 back; two biases.
    block = 256 * 512 + 512 + 512 * 16 * 9 + 512 + 512 * 256
    # The first 1x1, six blocks, a filter of 7x7 a channel, a logit.
    assert count(R3GANDiscriminator()) == 256 + 6 * block + 256 * 49 + 256 == 2_034_432
    # With labels: 64 numbers in place of the logit, and ten vectors of them.
    assert count(R3GANDiscriminator(num_classes=10)) == 2_034_432 + 63 * 256 + 10 * 64


def test_stages_of_other_widths_of_discriminator():
    """A 1x1 after the downsampling where the channels change, and none where they do not."""
    network = R3GANDiscriminator((3, 32, 32), (4, 8, 16, 16), (1, 1, 2, 1), (2, 4, 8, 8))
    kinds = [type(layer) for layer in network.layers]
    block, down, convolution = R3GANBlock, FilteredDownsample, nn.Conv2d
    narrow = [block, down, convolution]
    wide = [block, block, down, block]
    tail = [convolution, nn.Flatten, nn.Linear]
    assert kinds == [convolution, *narrow, *narrow, *wide, *tail]
    assert network.layers[-3].groups == 16
    assert not any(m.bias is not None for m in network.layers if isinstance(m, convolution))


def test_logit_is_the_product_with_the_label():
    network = R3GANDiscriminator((1, 8, 8), 8, 1, 4, num_classes=3, embedding_dim=5)
    images, labels = torch.randn(4, 1, 8, 8), torch.tensor([0, 1, 2, 2])
    features = network.layers(images)
    assert features.shape == (4, 5)
    expected = torch.einsum('ne,ne->n', features, network.label_embedding.weight[labels])
    torch.testing.assert_close(network(images, labels), expected)


@torch.no_grad()
@pytest.mark.parametrize('side', [28, 32, 64])
def test_mean_square_at_every_depth(side):
    """Near 1 at first for images of one color each, which the low-pass filter lets through."""
    network = R3GANDiscriminator((3, side, side), channels=32, blocks_per_stage=1, cardinality=8)
    squares = []
    for layer in network.layers:
        layer.register_forward_hook(lambda m, args, out: squares.append(out.square().mean().item()))
    network(torch.randn(128, 3, 1, 1).expand(-1, -1, side, side))
    assert len(squares) == len(network.layers)
    assert all(0.3 < square < 2 for square in squares[:-1])
    assert 0.05 < squares[-1] < 5  # one number an image, of which a few weights decide


def test_bad_arguments_are_named_of_discriminator():
    message = r'cardinality must divide expansion \* channels, got 32 for 2 \* 24 = 48. Pass card'
    with pytest.raises(ValueError, match=message):
        R3GANDiscriminator(channels=24)
    with pytest.raises(ValueError, match=r'channels must be a positive int, or 3 of them'):
        R3GANDiscriminator(channels=(64, 64))


@pytest.mark.parametrize(('num_classes', 'embedding_dim'), [(10, 64), (10, 768), (100, 16)])
def test_label_embeddings_at_first(num_classes, embedding_dim):
    """Of the generator N(0, 1 / num_classes), of the discriminator by embedding_dim less."""
    settings = dict(channels=4, cardinality=2, blocks_per_stage=1)
    settings |= dict(num_classes=num_classes, embedding_dim=embedding_dim)
    generator = R3GANGenerator(4, (1, 8, 8), **settings).label_embedding.weight
    discriminator = R3GANDiscriminator((1, 8, 8), **settings).label_embedding.weight
    assert generator.shape == discriminator.shape == (num_classes, embedding_dim)
    # At least 640 numbers: four standard errors of their std are 4 / sqrt(1280) = 11 %.
    assert generator.std().item() == pytest.approx(num_classes**-0.5, rel=0.11)
    expected = (num_classes * embedding_dim) ** -0.5
    assert discriminator.std().item() == pytest.approx(expected, rel=0.11)


def test_parameter_counts_of_the_paper():
    """Of the networks of the CIFAR-10 config, and of those for FFHQ."""
    model = mmgan_lite.get_config('r3gan_cifar10-32x32').model
    with torch.device('meta'):
        assert count(MODELS.build(model.generator)) == 20_781_952
        assert count(MODELS.build(model.discriminator)) == 21_280_512
        for side, widths, counts in (
            (64, [768] * 4 + [384], (22_429_824, 22_381_440)),
            (256, [768] * 4 + [384, 192, 96], (23_057_952, 23_009_568)),
        ):
            groups = [width // 8 for width in widths]
            generator = R3GANGenerator(64, (3, side, side), widths, 2, groups)
            discriminator = R3GANDiscriminator((3, side, side), widths[::-1], 2, groups[::-1])
            assert (count(generator), count(discriminator)) == counts


# Names in the authors' code. Their first and last layers, and those between two sizes ...
GENERATOR_NAMES = {
    'basis': 'MainLayers.0.Layers.0.Basis',
    'coefficients.weight': 'MainLayers.0.Layers.0.LinearLayer.weight',
    'layers.2.weight': 'MainLayers.1.Layers.0.LinearLayer.Layer.weight',
    'layers.7.weight': 'AggregationLayer.Layer.weight',
}
DISCRIMINATOR_NAMES = {
    'layers.0.weight': 'ExtractionLayer.Layer.weight',
    'layers.5.weight': 'MainLayers.1.Layers.1.LinearLayer.Layer.weight',
    'layers.8.weight': 'MainLayers.2.Layers.2.Basis.weight',
    'layers.10.weight': 'MainLayers.2.Layers.2.LinearLayer.weight',
}
# ... their blocks, as (stage, place), and what is in a block.
GENERATOR_BLOCKS = {0: (0, 1), 1: (0, 2), 4: (1, 1), 6: (2, 1)}
DISCRIMINATOR_BLOCKS = {1: (0, 0), 3: (1, 0), 6: (2, 0), 7: (2, 1)}
IN_A_BLOCK = {
    '0.weight': 'LinearLayer1.Layer.weight',
    '0.bias': 'NonLinearity1.Bias',
    '2.weight': 'LinearLayer2.Layer.weight',
    '2.bias': 'NonLinearity2.Bias',
    '4.weight': 'LinearLayer3.Layer.weight',
}


@pytest.fixture(params=['uncond', 'cond'])
def golden(request, repo):
    """A network of the authors' code, run by someone else: its weights, inputs and outputs."""

    def load(kind, names, blocks, network, **settings):
        folder = repo.parent / 'shared' / 'reference' / 'goldens'
        path = folder / f'r3gan_{kind}_{request.param}.safetensors'
        if not path.is_file():
            pytest.skip(f'{path.name} is not in ../shared/reference/goldens')
        tensors = load_file(path)
        renamed = {ours: tensors.pop(f'state.Model.{theirs}') for ours, theirs in names.items()}
        for index, (stage, place) in blocks.items():
            theirs = f'state.Model.MainLayers.{stage}.Layers.{place}'
            for inner, name in IN_A_BLOCK.items():
                renamed[f'layers.{index}.layers.{inner}'] = tensors.pop(f'{theirs}.{name}')
        if request.param == 'cond':
            settings |= dict(num_classes=4, embedding_dim=16)
            embedding = tensors.pop('state.Model.EmbeddingLayer.weight')  # a linear layer there
            renamed['label_embedding.weight'] = embedding.T
        left = {name for name in tensors if not name.startswith('io.')}
        assert all(name.endswith('.Resampler.Kernel') for name in left)  # a constant here
        built = network(image_shape=(3, 16, 16), **settings)
        built.load_state_dict(renamed)
        return built, {name[3:]: t for name, t in tensors.items() if name.startswith('io.')}

    return load


def assert_like_golden(found, expected):
    """To 1e-4 of the standard deviation: float32 in another order of summation."""
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4 * expected.std().item())


@torch.no_grad()
def test_generator_computes_what_the_authors_do(golden):
    network, io = golden(
        *('generator', GENERATOR_NAMES, GENERATOR_BLOCKS, R3GANGenerator),
        **dict(latent_dim=16, channels=(48, 32, 32), cardinality=(12, 8, 8)),
        blocks_per_stage=(2, 1, 1),
    )
    assert_like_golden(network(io['latents'], io.get('labels')), io['images'])


def test_discriminator_computes_what_the_authors_do(golden):
    """Logits, and R1 of each image: its squared slope, without gamma / 2."""
    network, io = golden(
        *('discriminator', DISCRIMINATOR_NAMES, DISCRIMINATOR_BLOCKS, R3GANDiscriminator),
        **dict(channels=(32, 32, 48), cardinality=(8, 8, 12), blocks_per_stage=(1, 1, 2)),
    )
    labels = io.get('labels')
    with torch.no_grad():
        assert_like_golden(network(io['images'], labels), io['logits'])
        assert_like_golden(network(io['fake_images'], labels), io['fake_logits'])
    regularizer, penalties = R1Regularizer(weight=2.0), []
    for index, image in enumerate(io['images'].split(1)):
        label = None if labels is None else labels[index : index + 1]
        penalties.append(regularizer(network, image, image, label).detach())
    assert_like_golden(torch.stack(penalties), io['r1_penalty'])
