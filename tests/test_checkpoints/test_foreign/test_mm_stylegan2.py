import torch

from mmgan_lite.checkpoints.foreign import mm_stylegan2


def with_classes(state, classes=3):
    """A conditional generator there: the mapping begins with a layer, and follows its mean."""
    torch.manual_seed(1)
    state = {
        name.replace(f'style_mapping.{index}.', f'style_mapping.{index - 1}.')
        if name.startswith(f'style_mapping.{index}.')
        else name: tensor
        for name, tensor in state.items()
        for index in [int(name.split('.')[1]) if name.startswith('style_mapping') else 0]
    }
    state['style_mapping.0.linear.weight_orig'] = torch.randn(32, 64) * 100
    state['embed.linear.weight_orig'] = torch.randn(32, classes)
    state['embed.bias'] = torch.randn(32)
    state['w_avg'] = torch.randn(32)
    return state


@torch.no_grad()
def test_generator_with_classes(made_by, state_of):
    """Latents and label are normalized each by itself, and joined."""
    state = with_classes(state_of('mmagic_stylegan2_generator'))
    latents, labels = torch.randn(2, 32), torch.tensor([0, 2])

    def normalized(vectors):
        return vectors / vectors.square().mean(1, keepdim=True).sqrt()

    embedded = state['embed.linear.weight_orig'].T[labels] / 3**0.5 + state['embed.bias']
    expected = torch.cat([normalized(latents), normalized(embedded)], 1)
    for index in range(4):
        weight, bias = (state[f'style_mapping.{index}.{n}'] for n in ('linear.weight_orig', 'bias'))
        expected = expected @ weight.T * 0.01 / weight.shape[1] ** 0.5 + bias * 0.01
        expected = torch.nn.functional.leaky_relu(expected, 0.2) * 2**0.5
    average = state['w_avg']
    settings, network = made_by(mm_stylegan2.generator, state)
    assert (settings['num_classes'], settings['latent_dim']) == (3, 32)
    torch.testing.assert_close(network.mapping(latents, labels)[:, 0], expected)
    assert torch.equal(network.mapping_network.w_avg, average)


@torch.no_grad()
def test_discriminator_with_classes_and_augmentation(made_by, state_of):
    state = state_of('mmagic_stylegan2_discriminator')
    state['final_linear.1.linear.weight_orig'] = torch.randn(24, 24)
    state['final_linear.1.bias'] = torch.zeros(24)
    state['mapping.embed.weight'], state['mapping.embed.bias'] = torch.randn(24, 3), torch.zeros(24)
    for layer in range(2):
        state[f'mapping.fc{layer}.weight'] = torch.randn(24, 24) * 100
        state[f'mapping.fc{layer}.bias'] = torch.zeros(24)
    state['ada_aug.log_buffer'] = torch.zeros(2)
    given = dict(mbstd_cfg=dict(group_size=2, channel_groups=1))
    settings, network = made_by(mm_stylegan2.discriminator, state, (3, 32, 32), given=given)
    found = [settings[name] for name in ('num_classes', 'num_mapping_layers', 'stddev_group_size')]
    assert found == [3, 2, 2]
    assert network(torch.zeros(2, 3, 32, 32), torch.tensor([0, 2])).shape == (2,)


def test_average_is_the_same_each_time(made_by, state_of):
    (_, first), (_, second) = (
        made_by(mm_stylegan2.generator, state_of('mmagic_stylegan2_generator')) for _ in range(2)
    )
    assert torch.equal(first.mapping_network.w_avg, second.mapping_network.w_avg)
