"""Features are computed again in the backward pass, and nothing else changes."""

import pytest
import torch
from torch import nn

from mmgan_lite.engine.activation_checkpointing import checkpoint_activations
from mmgan_lite.models import GAN

BLOCKS = [
    *(f'generator.synthesis_network.blocks.{side}' for side in (4, 8, 16)),
    *(f'discriminator.blocks.{side}' for side in (16, 8)),
]


@pytest.fixture
def stylegan2():
    def make(**settings):
        torch.manual_seed(0)
        common = dict(image_shape=(1, 16, 16), channel_max=8, num_mapping_layers=1, num_classes=3)
        return GAN(
            generator=dict(type='StyleGAN2Generator', latent_dim=6, style_dim=6, **common),
            discriminator=dict(type='StyleGAN2Discriminator', **common),
            loss=dict(type='NonSaturatingGANLoss'),
            regularizers=[
                dict(type='R1Regularizer', interval=2),
                dict(type='PathLengthRegularizer', interval=2),
            ],
            ema=dict(type='ExponentialMovingAverage', momentum=1e-2),
            **settings,
        ).train()

    return make


@pytest.mark.parametrize('dtype', [None, 'bfloat16'])
def test_training_is_the_same(stylegan2, dtype, make_batch, make_optim_wrapper):
    """Losses, gradients in plain SGD, R1 and path length, with noise and mixed styles."""
    batches = [make_batch(4, (1, 16, 16), [0, 1, 2, 0]) for _ in range(4)]
    found = []
    for names in ([], BLOCKS):
        gan = stylegan2()
        checkpoint_activations(gan, names)
        entry = dict(optimizer=dict(type='SGD', lr=1e-2)) | (dict(dtype=dtype) if dtype else {})
        wrappers = make_optim_wrapper(gan, generator=entry, discriminator=entry)
        torch.manual_seed(1)
        logs = [gan.train_step(batch, wrappers) for batch in batches]
        assert [('loss_r1' in log, 'loss_path_length' in log) for log in logs] == [
            (True, True),
            (False, False),
        ] * 2
        found.append(
            (logs, gan.state_dict(), gan.probe(torch.rand(4, 1, 16, 16), torch.arange(4) % 3))
        )
    torch.testing.assert_close(found[1], found[0])


def test_computes_again_in_the_backward_pass(stylegan2):
    gan = stylegan2()
    checkpoint_activations(gan, 'discriminator.blocks.16')
    calls = []
    for side in ('16', '8'):
        layer = gan.discriminator.blocks[side].conv0
        layer.register_forward_hook(lambda *_, side=side: calls.append(side))
    loss = gan.discriminator(torch.rand(4, 1, 16, 16), torch.arange(4) % 3).sum()
    assert calls == ['16', '8']
    loss.backward()
    assert calls == ['16', '8', '16']


def test_finds_modules_in_wrappers_for_several_processes(stylegan2):
    gan = stylegan2()
    block = gan.discriminator.blocks['8']
    gan.discriminator = nn.DataParallel(gan.discriminator)  # one of MMEngine's wrappers
    before = block.forward
    checkpoint_activations(gan, ['discriminator.blocks.8'])
    assert block.forward != before


@pytest.mark.parametrize(
    ('names', 'message'),
    [
        ('discriminator.block.8', r"got 'discriminator.block.8'. Did you mean 'discriminator.blo"),
        ('generator', r"got 'generator' with the TrackedStyleMapping 'generator.mapping_network'"),
        (['generator.blocks.0'], r"got 'generator.blocks.0'. Did you mean|Print the model"),
    ],
)
def test_names_are_checked(stylegan2, names, message):
    with pytest.raises(ValueError, match=message):
        checkpoint_activations(stylegan2(), names)


@pytest.mark.parametrize(
    ('network', 'layer'),
    [
        (nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1)), "BatchNorm2d 'network.1'"),
        (nn.utils.parametrizations.spectral_norm(nn.Linear(2, 2)), "ParametrizedLinear 'network'"),
    ],
)
def test_a_second_pass_must_not_count(network, layer):
    model = nn.ModuleDict(dict(network=network))
    with pytest.raises(ValueError, match=f'a second pass does not change, got .* {layer}'):
        checkpoint_activations(model, 'network')


def test_not_in_a_cuda_graph(stylegan2):
    with pytest.raises(ValueError, match=r'activation_checkpointing needs cuda_graph=False'):
        checkpoint_activations(stylegan2(cuda_graph=True), BLOCKS)
