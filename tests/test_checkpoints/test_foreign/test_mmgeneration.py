import torch

from mmgan_lite.checkpoints.foreign import ForeignFile, mmagic, mmgeneration

DCGAN = ('generator.noise2feat.conv.weight', 'generator.output_layer.conv.weight')


def file_of(names, **meta):
    state = {name: torch.zeros(1) for name in names}
    return ForeignFile('a.pth', dict(meta=meta, state_dict=state))


def told(file):
    return mmgeneration.recognizes(file), mmagic.recognizes(file)


def test_versions_tell_the_project():
    assert told(file_of(DCGAN, mmgen_version='0.7.3')) == (True, False)
    assert told(file_of(DCGAN, mmagic_version='1.2.0')) == (False, True)
    assert told(file_of(DCGAN, mmedit_version='1.0.0rc7')) == (False, True)
    # Networks that are not known are refused by name later on.
    assert told(file_of(['generator.x'], mmgen_version='0.7.3')) == (True, False)


def test_networks_tell_it_without_a_version():
    assert told(file_of(DCGAN)) == (True, False)
    assert told(file_of([*DCGAN, 'data_preprocessor.mean'])) == (False, True)
    assert told(file_of([*DCGAN, 'generator_ema.module.a'])) == (False, True)


def test_other_files_are_of_neither():
    assert told(file_of(['generator.layers.0.weight'])) == (False, False)
    assert told(file_of(['backbone.weight'], mmagic_version='1.2.0')) == (False, False)
    assert told(ForeignFile('a.pth', [1])) == (False, False)
    assert told(ForeignFile('a.pth', dict(state_dict=3))) == (False, False)
