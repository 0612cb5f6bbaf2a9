import pytest
import torch

from mmgan_lite.checkpoints.foreign import mm_translation


def test_dropout_of_the_config(made_by, state_of):
    state = state_of('mmagic_pix2pix_generator')
    settings, network = made_by(mm_translation.unet, state, given=dict(use_dropout=True))
    assert settings['dropout'] == 0.5
    assert any(isinstance(module, torch.nn.Dropout) for module in network.modules())


def test_blocks_with_dropout_have_other_numbers(made_by, state_of):
    state = state_of('mmagic_cyclegan_generator')
    moved = {name.replace('.block.1.', '.block.2.'): tensor for name, tensor in state.items()}
    (plain, network), (settings, other) = (
        made_by(mm_translation.resnet, tensors) for tensors in (state, moved)
    )
    assert settings == plain
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name])


@pytest.mark.parametrize(
    ('given', 'norm'),
    [({}, 'instance'), (dict(norm_cfg=None), 'none'), (dict(norm_cfg=dict(type='IN')), 'instance')],
)
def test_norm_without_tensors_is_that_of_the_config(made_by, state_of, given, norm):
    state = state_of('mmagic_cyclegan_discriminator')
    settings, _ = made_by(mm_translation.patch, state, [3], given=given)
    assert settings['norm'] == norm


def test_other_depths(made_by, zeros):
    """A discriminator with one halving, and a U-Net of two levels on gray images."""
    state = zeros(
        model__0__conv__weight=(4, 3, 4, 4),
        model__0__conv__bias=(4,),
        model__1__conv__weight=(8, 4, 4, 4),
        model__1__conv__bias=(8,),
        model__2__weight=(1, 8, 4, 4),
        model__2__bias=(1,),
    )
    settings, _ = made_by(mm_translation.patch, state, [3])
    assert settings['num_layers'] == 1
    inner = 'model__model__1__model__'
    state = zeros(
        model__model__0__conv__weight=(4, 1, 4, 4),
        model__model__0__conv__bias=(4,),
        model__model__2__conv__weight=(8, 2, 4, 4),
        model__model__2__conv__bias=(2,),
        **{f'{inner}0__conv__weight': (8, 4, 4, 4), f'{inner}0__conv__bias': (8,)},
        **{f'{inner}1__conv__weight': (8, 4, 4, 4), f'{inner}1__conv__bias': (4,)},
    )
    settings, _ = made_by(mm_translation.unet, state)
    assert [settings[name] for name in ('in_channels', 'out_channels', 'levels')] == [1, 2, 2]
