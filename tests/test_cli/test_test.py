"""Testing a checkpoint from the command line."""

import json

import pytest
import torch

METRIC = """
from mmengine.evaluator import BaseMetric
from mmengine.registry import METRICS

@METRICS.register_module()
class Count(BaseMetric):
    def process(self, data_batch, data_samples):
        self.results.extend(data_samples)
    def compute_metrics(self, results):
        return dict(fakes=len(results))
"""

CONFIG = """
_base_ = {base!r}
custom_imports = dict(imports=['count_metric'])
test_dataloader = dict(
    batch_size=4,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='mmgan_lite.image_collate'),
    dataset=dict(type='DigitsDataset', indices=7))
test_cfg = dict()
test_evaluator = dict(_delete_=True, type='Count')
"""


def test_metrics_of_a_checkpoint(tool, trained, monkeypatch, tmp_path):
    (tmp_path / 'count_metric.py').write_text(METRIC)
    config = tmp_path / 'with_test.py'
    config.write_text(CONFIG.format(base=str(trained / 'gan_mlp_digits-28x28_conditional.py')))
    monkeypatch.setenv('PYTHONPATH', str(tmp_path), prepend=':')
    result = tool('test', config, trained / 'iter_2.pth', '--work-dir', tmp_path / 'work')
    assert 'fakes: 7' in result.stdout


MODEL_METRIC = """
from mmgan_lite.evaluation import GANMetric
from mmgan_lite.registry import METRICS

@METRICS.register_module()
class NumParameters(GANMetric):
    needs = ('model',)
    def compute(self, comparison):
        return dict(parameters=sum(p.numel() for p in comparison.model.generator.parameters()))
"""


def test_metric_of_the_model(tool, trained, monkeypatch, tmp_path):
    (tmp_path / 'count_metric.py').write_text(MODEL_METRIC)
    config, out = tmp_path / 'with_test.py', tmp_path / 'scores.json'
    text = CONFIG.format(base=str(trained / 'gan_mlp_digits-28x28_conditional.py'))
    evaluator = "type='GANEvaluator', metrics=[dict(type='NumParameters')]"
    config.write_text(text.replace("type='Count'", evaluator))
    monkeypatch.setenv('PYTHONPATH', str(tmp_path), prepend=':')
    checkpoint = trained / 'iter_2.pth'
    tool('test', config, checkpoint, '--work-dir', tmp_path / 'work', '--out', out)
    weights = torch.load(checkpoint)['state_dict']
    parameters = [
        tensor.numel()
        for name, tensor in weights.items()
        if name.startswith('generator.') and 'running' not in name and 'num_batches' not in name
    ]
    scores = json.loads(out.read_text())['scores']
    assert scores == dict(parameters=dict(value=sum(parameters), real_score=None, settings={}))


def test_config_without_a_test_loop(command):
    result = command('test', 'dcgan_folder-64x64', 'none.pth')
    assert 'the config has no test_dataloader, test_cfg, test_evaluator' in result.stderr


SCORES = """
_base_ = {base!r}
test_dataloader = dict(
    batch_size=16,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='mmgan_lite.image_collate'),
    dataset=dict(type='DigitsDataset', indices=40))
test_cfg = dict()
test_evaluator = dict(
    _delete_=True,
    type='GANEvaluator',
    extractor=dict(type='MNISTClassifier'),
    metrics=[dict(type='FrechetDistance'), dict(type='ConditionalAccuracy')],
    cache_dir={cache!r})
"""


@pytest.fixture
def scores_config(trained, tmp_path):
    config = tmp_path / 'with_scores.py'
    base = str(trained / 'gan_mlp_digits-28x28_conditional.py')
    config.write_text(SCORES.format(base=base, cache=str(tmp_path / 'cache')))
    return config


def test_scores_with_their_protocol_in_a_file(tool, trained, scores_config, tmp_path):
    checkpoint, out = trained / 'iter_2.pth', tmp_path / 'new' / 'scores.json'
    options = ('--out', out, '--num-samples', 70, '--work-dir', tmp_path / 'work')
    result = tool('test', scores_config, checkpoint, *options)
    summary = json.loads(out.read_text())
    assert summary['checkpoint'] == str(checkpoint)
    assert summary['config'] == str(scores_config)
    assert summary['protocol']['num_fakes'] == 70
    assert summary['protocol']['num_reals'] == 40
    assert summary['protocol']['extractor'] == 'mnist-classifier'
    assert set(summary['scores']) == {'FID[mnist-classifier]', 'accuracy[mnist-classifier]'}
    fid = summary['scores']['FID[mnist-classifier]']
    assert fid['value'] > fid['real_score'] > 0
    assert '70 fakes' in result.stdout
    # The same seed draws the same fakes, and the cache gives the same features.
    again = tmp_path / 'again.json'
    tool('test', scores_config, checkpoint, '--out', again, *options[2:])
    assert json.loads(again.read_text())['scores'] == summary['scores']


def test_shipped_config(tool, trained, tmp_path):
    """Nothing but the config, the checkpoint and the number."""
    config = tool.configs / 'gan_mlp_digits-28x28_conditional.py'
    out = tmp_path / 'scores.json'
    options = ('--out', out, '--num-samples', 300, '--work-dir', tmp_path)
    narrow = 'model.generator.hidden_dims=(16,16)'
    tool('test', config, trained / 'iter_2.pth', *options, '--cfg-options', narrow)
    summary = json.loads(out.read_text())
    assert {name.partition('[')[0] for name in summary['scores']} == {
        *('FID', 'KID', 'KID_std', 'IS', 'IS_std', 'precision', 'recall', 'density', 'coverage'),
        *('modes', 'mode_kl', 'accuracy'),
    }
    assert summary['protocol']['num_fakes'] == 300
    assert summary['protocol']['num_reals'] == 1797
    assert summary['protocol']['real_data'] == 'Digits'
    assert all(score['real_score'] is not None for score in summary['scores'].values())


def test_checkpoint_of_another_model(tool, trained, scores_config, tmp_path):
    state = torch.load(trained / 'iter_2.pth')
    key = next(iter(state['state_dict']))
    state['state_dict']['other'] = state['state_dict'].pop(key)
    torch.save(state, tmp_path / 'other.pth')
    result = tool('test', scores_config, tmp_path / 'other.pth', check=False)
    assert 'checkpoint must be of the model in the config' in result.stderr
    assert key in result.stderr


def test_no_checkpoint(tool, scores_config, tmp_path):
    result = tool('test', scores_config, tmp_path / 'none.pth', check=False)
    assert 'checkpoint must be a file' in result.stderr


def test_bad_numbers(tool, trained, scores_config, tmp_path):
    checkpoint = trained / 'iter_2.pth'
    result = tool('test', scores_config, checkpoint, '--num-samples', 0, check=False)
    assert "--num-samples: must be an int of at least 1, got '0'" in result.stderr
    plain = tmp_path / 'plain.py'
    plain.write_text(
        scores_config.read_text().partition('test_evaluator')[0]
        + "test_evaluator = dict(_delete_=True, type='DumpResults', out_file_path='x.pkl')\n"
    )
    result = tool('test', plain, checkpoint, '--num-samples', 5, check=False)
    assert '--num-samples needs a GANEvaluator as test_evaluator, got DumpResults' in result.stderr
