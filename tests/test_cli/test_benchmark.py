"""``mmgan-lite benchmark``: its table, its file, its errors. No test asserts a speed."""

import json

import pytest

from mmgan_lite.cli.benchmark import parse_args, print_report, print_scaling
from mmgan_lite.utils.environment import available_cores

TINY = (
    '--iters',
    2,
    '--blocks',
    2,
    '--cfg-options',
    'model.generator.hidden_dims=(8,8)',
    'model.discriminator.hidden_dims=(8,8)',
    'train_dataloader.batch_size=8',
)


@pytest.fixture(scope='session')
def config(tool):
    return tool.configs / 'gan_mlp_digits-28x28.py'


def test_table_and_file(tool, config):
    done = tool('benchmark', config, '--out', 'made/speed.json', *TINY)
    for text in (
        'gan_mlp_digits-28x28, batches of 8',
        'Runner',
        'reference loop',
        'data loader alone',
        'training step alone',
        'overhead',
        'Medians over 2 blocks of 2 iterations.',
        'of the speed of the reference loop',
    ):
        assert text in done.stdout
    report = json.loads((tool.cwd / 'made' / 'speed.json').read_text())
    assert set(report) == {
        'config',
        'command',
        'iters',
        'blocks',
        'machine',
        'versions',
        'batch_size',
        'processes',
        'figures',
        'reference_to_runner',
        'memory',
        'notes',
    }
    assert report['config'] == 'gan_mlp_digits-28x28'
    assert report['command'].startswith('mmgan-lite benchmark ')
    assert "'model.generator.hidden_dims=(8,8)'" in report['command']
    assert (report['iters'], report['blocks'], report['batch_size']) == (2, 2, 8)
    assert not (tool.cwd / 'work_dirs' / 'gan_mlp_digits-28x28').exists()


def test_data_only(tool, config):
    done = tool('benchmark', config, '--data-only', '--out', 'data.json', *TINY)
    assert 'data loader alone' in done.stdout
    assert 'Runner' not in done.stdout
    assert set(json.loads((tool.cwd / 'data.json').read_text())['figures']) == {'data'}


def test_profile(tool, config):
    done = tool('benchmark', config, '--profile', 'made/trace.json', *TINY)
    assert 'trace written to made/trace.json' in done.stdout
    assert json.loads((tool.cwd / 'made' / 'trace.json').read_text())['traceEvents']


@pytest.mark.skipif(available_cores() < 2, reason='needs two cores')
def test_processes(tool, config):
    done = tool('benchmark', config, '--processes', '1,2', '--out', 'scaling.json', *TINY)
    assert 'threads each' in done.stdout
    first, second = json.loads((tool.cwd / 'scaling.json').read_text())['runs']
    assert (first['processes'], second['processes']) == (1, 2)
    assert (first['report']['processes'], second['report']['processes']) == (1, 2)
    assert (first['report']['batch_size'], second['report']['batch_size']) == (8, 16)
    for run in (first, second):
        figures = run['report']['figures']
        assert set(figures) == {'runner'}
        expected = run['report']['batch_size'] / figures['runner']['seconds']
        assert run['images_per_second'] == pytest.approx(expected)
        assert run['scaling'] == pytest.approx(
            run['images_per_second'] / first['images_per_second']
        )


def test_processes_that_fail_say_why(tool, config):
    option = 'train_dataloader.dataset.image_size=32'
    done = tool('benchmark', config, '--processes', 1, '--cfg-options', option, check=False)
    assert done.returncode == 1
    assert 'got (1, 28, 28) for images of (1, 32, 32)' in done.stderr
    assert '--processes 1 failed, see above.' in done.stderr


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--iters', 0], "argument --iters: must be an int of at least 1, got '0'"),
        (['--blocks', -1], "argument --blocks: must be an int of at least 1, got '-1'"),
        (['--processes', '1,x'], "argument --processes: must be an int of at least 1, got 'x'"),
        (['--processes', '0'], "argument --processes: must be an int of at least 1, got '0'"),
        (['--processes', '2,2'], "must be different ints, like 1,2, got '2,2'"),
        (['--processes', '1,100000'], 'the number of '),
        (['--data-only', '--profile', 'x'], 'not allowed with argument --data-only'),
        (['--out', 'x', '--profile', 'y'], '--out cannot be combined with --profile'),
        (['--out', '.'], "--out must be a file, but '.' is a directory"),
        (['--launcher', 'pytorch'], '--launcher pytorch needs --runner-only'),
    ],
)
def test_bad_arguments(monkeypatch, capsys, arguments, message):
    monkeypatch.setattr('sys.argv', ['benchmark', 'c.py', *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        parse_args()
    # argparse breaks lines where it likes; what ends the command by itself is printed by Python.
    said = f'{capsys.readouterr().err} {end.value}'
    assert message in ' '.join(said.split())


def row(seconds, speed=None):
    told = {} if speed is None else dict(images_per_second=speed)
    return dict(told, seconds=seconds, min_seconds=seconds / 2, max_seconds=seconds * 2)


REPORT = dict(
    config='some_config',
    iters=50,
    blocks=7,
    batch_size=64,
    machine=dict(cpu='Some CPU', threads=2, gpu=None),
    versions=dict(torch='2.9.0'),
)


def test_what_the_table_says(capsys):
    print_report(
        dict(
            REPORT,
            figures=dict(
                runner=row(0.010, 6400.0),
                reference_loop=row(0.009, 7111.1),
                data=row(0.001, 64000.0),
                overhead=row(-0.0001),
            ),
            reference_to_runner=dict(median=0.9, min=0.875, max=1.0),
            memory=dict(peak_mib=812.4, growth_mib=-1.25, device_peak_mib=20.0),
            notes=['reference loop: a note [not markup]'],
        )
    )
    out = capsys.readouterr().out
    lines = [' '.join(line.replace('│', ' ').split()) for line in out.splitlines()]
    assert 'some_config, batches of 64' in lines
    assert 'Some CPU, threads: 2, torch 2.9.0' in lines
    assert 'Runner 6,400 10.000 5.000 20.000 100.0%' in lines
    assert 'reference loop 7,111 9.000 4.500 18.000 90.0%' in lines
    assert 'data loader alone 64,000 1.000 0.500 2.000 10.0%' in lines
    assert 'overhead -0.100 -0.050 -0.200 -1.0%' in lines
    whole = ' '.join(out.split())
    assert 'The Runner reaches 90.0% of the speed of the reference loop (87.5% to 100.0%' in whole
    assert 'peak 812 MiB, -1.2 MiB from the first block to the last' in whole
    assert 'allocated on the GPU: peak 20 MiB' in whole
    assert 'reference loop: a note [not markup]' in whole


def test_what_the_table_of_processes_says(capsys):
    runs = [
        dict(processes=1, threads=2, images_per_second=1000.0, scaling=1.0),
        dict(processes=2, threads=1, images_per_second=1500.0, scaling=1.5),
    ]
    for run in runs:
        run['report'] = dict(batch_size=64 * run['processes'])
    report = {key: value for key, value in REPORT.items() if key != 'batch_size'}
    report['machine'] = dict(cpu='Some CPU', threads=2, gpu='Some GPU')
    print_scaling(dict(report, runs=runs))
    lines = [
        ' '.join(line.replace('│', ' ').split()) for line in capsys.readouterr().out.splitlines()
    ]
    assert 'Some GPU, torch 2.9.0' in lines
    assert '1 2 64 1,000 1.00' in lines
    assert '2 1 128 1,500 1.50' in lines
