"""Which top-level keys are read."""

from mmgan_lite.utils.config_keys import unknown_keys


def test_what_the_runner_takes_and_reads_is_known():
    known = ['model', 'work_dir', 'auto_scale_lr', 'model_wrapper_cfg', 'compile', 'custom_imports']
    assert unknown_keys(known) == {}


def test_unknown_keys_have_the_closest_known_one():
    assert unknown_keys(['custom_hook', 'tta_pipe', '_mine']) == {
        'custom_hook': "is read by nothing. Did you mean 'custom_hooks'? Begin the name of a "
        'variable of your own with an underscore: _custom_hook.',
        'tta_pipe': 'is read by nothing. Begin the name of a variable of your own with an '
        'underscore: _tta_pipe.',
    }
