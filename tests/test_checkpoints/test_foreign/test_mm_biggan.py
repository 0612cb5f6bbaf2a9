import torch

from mmgan_lite.checkpoints.foreign import mm_biggan
from mmgan_lite.models import BigGANGenerator


def test_labels_in_each_norm_without_a_vector_of_their_own(made_by):
    """As for CIFAR-10 there: no shared embedding, the latents at the start alone."""
    ours = BigGANGenerator(
        6, (3, 16, 16), (8, 8, 4), 5, shared_dim=None, split_latents=False, spectral_norm=False
    )
    state = {}
    for name, tensor in ours.state_dict().items():
        for here, there in (
            ('first.0.', 'noise2feat.'),
            ('.norm.', '.bn.'),
            ('.norm1.', '.bn1.'),
            ('.norm2.', '.bn2.'),
            ('.gains.', '.gain.'),
            ('.biases.', '.bias.'),
            ('.conv1.', '.conv1.conv.'),
            ('.conv2.', '.conv2.conv.'),
            ('.shortcut.', '.shortcut.conv.'),
            ('last.0.', 'output_layer.bn.'),
            ('last.2.', 'output_layer.conv.'),
            ('blocks.', 'conv_blocks.'),
        ):
            name = name.replace(here, there)
        state[name] = tensor
    settings, network = made_by(mm_biggan.generator, state)
    assert settings == dict(
        type='BigGANGenerator',
        latent_dim=6,
        num_classes=5,
        shared_dim=None,
        split_latents=False,
        image_shape=(3, 16, 16),
        channels=(8, 8, 4),
        attention=(),
        spectral_norm=False,
    )
    latents, labels = torch.randn(2, 6), torch.tensor([0, 4])
    torch.testing.assert_close(network(latents, labels), ours.eval()(latents, labels))


def test_halvings_of_the_config(made_by, state_of):
    """The golden's, where the config says so; three would need a layer in the third shortcut."""
    state = state_of('mmagic_biggan_discriminator')
    given = dict(arch_cfg=dict(downsample=[True, True, False, False]))
    settings, _ = made_by(mm_biggan.discriminator, dict(state), (3, 32, 32), given=given)
    assert settings['halvings'] == 2
