"""Which top-level keys anybody reads."""

from mmgan_lite.utils.config_keys import unknown_keys


def test_what_the_runner_takes_and_reads_is_known():
    known = ['model', 'work_dir', 'auto_scale_lr', 'model_wrapper_cfg', 'compile', 'custom_imports']
    assert unknown_keys(known) == {}


def test_what_nobody_reads_is_told_with_the_nearest_and_the_way_to_keep_it():
    assert unknown_keys(['custom_hook', 'tta_pipe', '_mine']) == {
        'custom_hook': "is read by nobody. Did you mean 'custom_hooks'? A variable of your own "
        'begins with an underscore: _custom_hook.',
        'tta_pipe': 'is read by nobody. A variable of your own begins with an underscore: '
        '_tta_pipe.',
    }


def test_nothing_is_near():
    assert did_you_mean('zzz', ['model']) == ''
    assert did_you_mean(3, ['model']) == ''
