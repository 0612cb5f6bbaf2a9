"""CycleGAN in the files of its authors."""

import pytest
import torch

from mmgan_lite.checkpoints.foreign import convert_checkpoint
from mmgan_lite.inference import TranslationInferencer, load_model


@pytest.fixture
def generator(golden):
    state, io, _ = golden('cyclegan_resnet_generator')
    return state, io


def save(folder, **states):
    for name, state in states.items():
        torch.save(state, folder / f'latest_net_{name}.pth')
    return folder / f'latest_net_{next(iter(states))}.pth'


def test_one_direction(generator, tmp_path, assert_like):
    state, io = generator
    path = save(tmp_path, G_A=state)
    model = TranslationInferencer(weights=path, device='cpu').model
    assert_like(model.translate(io['source'][: len(io['images'])]), io['images'])
    notes = convert_checkpoint(path, 'cyclegan')['meta']['converted']['notes']
    assert notes[:2] == [
        'Only the direction a2b is in the file.',
        'The file has no generator_b2a: it starts from random weights.',
    ]


def test_the_other_direction_alone_is_called_the_first(generator, tmp_path, assert_like):
    state, io = generator
    path = save(tmp_path, G_B=state)
    model = load_model(None, path, False).model
    assert_like(model.translate(io['source'][: len(io['images'])]), io['images'])
    notes = convert_checkpoint(path)['meta']['converted']['notes']
    assert notes[0] == (
        'There is no G_A beside it: its direction, from B to A, is called a2b here.'
    )


def test_all_networks_of_a_folder(generator, golden, tmp_path, assert_like):
    state, io = generator
    judge, of_judge, _ = golden('cyclegan_patch_discriminator')
    zeros = {name: torch.zeros_like(tensor) for name, tensor in state.items()}
    nothing = {name: torch.zeros_like(tensor) for name, tensor in judge.items()}
    path = save(tmp_path, G_B=state, G_A=zeros, D_A=judge, D_B=nothing)
    model = load_model(None, path, False).model
    source = io['source'][: len(io['images'])]
    assert_like(model.translate(source, 'b2a'), io['images'])
    assert not model.translate(source, 'a2b').any()
    # Their D_A judges the images of G_A, which are of domain B.
    with torch.no_grad():
        assert_like(model.discriminator_b(of_judge['images']), of_judge['logits'])
        assert not model.discriminator_a(of_judge['images']).any()
    assert convert_checkpoint(path)['meta']['converted']['notes'] == []


def test_networks_of_other_sizes_are_refused(generator, tmp_path):
    state, _ = generator
    fewer = {name: tensor for name, tensor in state.items() if '.11.' not in name}
    path = save(tmp_path, G_A=state, G_B=fewer)
    with pytest.raises(
        ValueError, match=r'has networks beside it of other sizes: latest_net_G_B.pth'
    ):
        convert_checkpoint(path)


def test_a_unet_of_one_direction_is_a_cyclegan(golden, tmp_path):
    state, _, _ = golden('pix2pix_unet_generator')
    path = save(tmp_path, G_A=state)
    assert convert_checkpoint(path)['meta']['converted']['source'] == 'cyclegan'


def test_authors_container(shared_file, golden, assert_like):
    model = load_model(None, shared_file('cyclegan_latest_net_G_A.pth'), False).model
    _, io, _ = golden('cyclegan_resnet_generator', shared=True)
    assert_like(model.translate(io['source']), io['images'])
