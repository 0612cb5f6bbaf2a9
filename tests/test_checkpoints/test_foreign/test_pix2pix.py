"""pix2pix in the files of its authors."""

import pytest
import torch

from mmgan_lite.checkpoints.foreign import convert_checkpoint
from mmgan_lite.inference import TranslationInferencer, load_model


@pytest.fixture
def folder(golden, tmp_path):
    """As the authors' training leaves it, without the discriminator."""
    state, io, _ = golden('pix2pix_unet_generator')
    wrapped = {f'module.{name}': tensor for name, tensor in state.items()}
    torch.save(wrapped, tmp_path / 'latest_net_G.pth', _use_new_zipfile_serialization=False)
    return tmp_path, io


def test_generator_alone(folder, assert_like):
    path = folder[0] / 'latest_net_G.pth'
    model = TranslationInferencer(weights=path, device='cpu').model
    source, io = folder[1]['source'], folder[1]
    assert_like(model.translate(source), io['images_batch_statistics'])
    with torch.no_grad():
        assert_like(model.translator()(source), io['images_running_statistics'])
    converted = convert_checkpoint(path)['meta']['converted']
    assert converted['source'] == 'pix2pix'
    assert 'dropout=0.5' in converted['notes'][0]
    assert converted['notes'][1].startswith('The file has no discriminator')


def test_discriminator_beside_it(folder, golden, assert_like):
    state, io, _ = golden('pix2pix_patch_discriminator')
    torch.save(state, folder[0] / 'latest_net_D.pth')
    path = folder[0] / 'latest_net_G.pth'
    model = load_model(None, path, False).model.eval()
    with torch.no_grad():
        assert_like(model.discriminator(io['images']), io['logits'])
    converted = convert_checkpoint(path)['meta']['converted']
    assert len(converted['notes']) == 1
    assert any(name.startswith('latest_net_D.pth: model.') for name in converted['ledger']['taken'])


def test_authors_container(shared_file, golden, assert_like):
    model = load_model(None, shared_file('pix2pix_latest_net_G.pth'), False).model
    _, io, _ = golden('pix2pix_unet_generator', shared=True)
    assert_like(model.translate(io['source']), io['images_batch_statistics'])
