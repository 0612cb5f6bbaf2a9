"""CUT and FastCUT, on small networks."""

import pytest
import torch

from mmgan_lite.models import CUT


def make(preprocessor, **settings):
    return CUT(
        generator=dict(type='ResNetTranslator', base_channels=4, num_blocks=1),
        discriminator=dict(type='PatchDiscriminator', base_channels=4, num_layers=1),
        loss=dict(type='LeastSquaresGANLoss'),
        layers=(0, 4),
        num_patches=16,
        projection_dim=8,
        data_preprocessor=preprocessor,
        **settings,
    )


def batch(num=2):
    return dict(source=torch.rand(num, 3, 16, 16), target=-torch.rand(num, 3, 16, 16))


@pytest.mark.parametrize('fast', [False, True])
def test_trains(as_it_is, optim_wrapper_of, fast):
    settings = dict(identity=False, flip_equivariance=True, nce_weight=10.0) if fast else {}
    torch.manual_seed(0)
    model = make(as_it_is, **settings)
    optim_wrapper = optim_wrapper_of(model, lr=0.01)
    before = {name: p.clone() for name, p in model.named_parameters()}
    for _ in range(3):
        log = model.train_step(batch(), optim_wrapper)
    assert all(value.isfinite() for value in log.values())
    assert ('loss_nce_identity' in log) is not fast
    changed = {n.partition('.')[0] for n, p in model.named_parameters() if (p != before[n]).any()}
    assert changed == {'generator', 'discriminator', 'projector'}


def test_an_image_is_most_alike_to_itself(as_it_is):
    """Of identical images the loss is far below that of chance, ln 16."""
    torch.manual_seed(0)
    model, images = make(as_it_is), torch.rand(2, 3, 16, 16)
    same = model._compare(images, images, flipped=False)
    other = model._compare(images, torch.rand(2, 3, 16, 16), flipped=False)
    mirrored = model._compare(images, images.flip(3), flipped=True)
    assert same < other
    assert mirrored < other


def test_generator_without_features():
    with pytest.raises(ValueError, match=r'generator of CUT must have in_channels.*TranslationScale'
                       r'|generator of CUT must have in_channels.*Scale'):  # fmt: skip
        CUT(
            generator=dict(type='TranslationScale', weight=1.0),
            discriminator=dict(type='PatchDiscriminator', base_channels=4, num_layers=1),
            loss=dict(type='LeastSquaresGANLoss'),
        )
