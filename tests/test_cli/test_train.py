"""Training from the command line."""

import torch


def test_train_writes_where_the_config_says(trained):
    assert (trained / 'iter_2.pth').is_file()
    assert (trained / 'samples' / 'training.gif').is_file()
    dump = (trained / 'gan_mlp_digits-28x28_conditional.py').read_text()
    assert 'randomness = dict(seed=7)' in dump


def test_resume_finds_the_newest_checkpoint(tool, trained):
    options = ('train_cfg.max_iters=3', 'model.generator.hidden_dims=(16,16)')
    config = tool.configs / 'gan_mlp_digits-28x28_conditional.py'
    tool('train', config, '--resume', '--cfg-options', *options)
    assert torch.load(trained / 'iter_3.pth')['meta']['iter'] == 3
    # From a file that is named, into another directory.
    other = tool.cwd / 'other'
    arguments = ('--resume', trained / 'iter_2.pth', '--work-dir', other)
    tool('train', config, *arguments, '--cfg-options', *options)
    assert torch.load(other / 'iter_3.pth')['meta']['iter'] == 3


def test_scheduler_that_lacks_a_network(tool, tmp_path):
    base = tool.configs / 'gan_mlp_digits-28x28.py'
    config = tmp_path / 'config.py'
    config.write_text(
        f'_base_ = {str(base)!r}\nparam_scheduler = dict(_delete_=True, generator=[])\n'
    )
    result = tool('train', config, check=False)
    assert result.returncode != 0
    assert 'param_scheduler.discriminator: is missing' in result.stderr
