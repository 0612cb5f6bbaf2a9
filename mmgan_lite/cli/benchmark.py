"""Measure the speed of training a config: by the Runner, its parts, and a reference loop.

Example: mmgan-lite benchmark gan_mlp_digits-28x28 --out speed.json
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dist import is_main_process
from rich.console import Console
from rich.table import Column, Table

from mmgan_lite.cli import options
from mmgan_lite.cli.options import positive_int
from mmgan_lite.engine.benchmark import benchmark_data, benchmark_training, profile_training
from mmgan_lite.utils.atomic_io import atomic_write
from mmgan_lite.utils.environment import available_cores, machine, versions

# In this order, and under these names, in the table.
_ROWS = {
    'runner': 'Runner',
    'reference_loop': 'reference loop',
    'data': 'data loader alone',
    'step': 'training step alone',
    'step_float32': 'training step in float32',
    'overhead': 'overhead',
}
_RATIOS = {
    'reference_to_runner': 'The Runner reaches {median:.1%} of the speed of the reference loop '
    '({min:.1%} to {max:.1%} over the blocks).',
    'float32_to_step': 'Without mixed precision the step takes {median:.2f} times as long '
    '({min:.2f} to {max:.2f} over the blocks).',
}


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description='Measure the speed of training a config: by the Runner, by a reference loop in '
        'plain PyTorch on the same networks, and of its parts, alternately.'
    )
    options.add_config(parser)
    add = parser.add_argument
    add('--iters', type=positive_int, default=50, help='iterations of a block (default: 50)')
    add('--blocks', type=positive_int, default=7, help='blocks of each that count (default: 7)')
    add('--out', type=Path, metavar='FILE', help='JSON file for all figures')
    add = parser.add_mutually_exclusive_group().add_argument
    add('--data-only', action='store_true', help='the data loader alone; needs no GAN')
    add('--runner-only', action='store_true', help='training by the Runner only')
    profile = 'trace some iterations instead, for chrome://tracing or Perfetto'
    add('--profile', type=Path, metavar='FILE', help=profile)
    processes = 'training by the Runner in these numbers of processes, such as 1,2,4'
    add('--processes', type=_counts, default=(), metavar='N,N', help=processes)
    options.add_launcher(parser)
    args = parser.parse_args()
    _check(parser, args)
    return args


def _counts(text: str) -> list[int]:
    counts = [positive_int(count) for count in text.split(',')]
    if len(set(counts)) < len(counts):
        raise argparse.ArgumentTypeError(f'must be different ints, like 1,2, got {text!r}')
    return counts


def _check(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    if args.launcher != 'none' and not args.runner_only:
        parser.error(f'--launcher {args.launcher} needs --runner-only; --processes starts its own')
    if args.out is not None and args.profile is not None:
        parser.error('--out cannot be combined with --profile, which gives no figures')
    if path := args.out or args.profile:
        options.check_file('--out' if args.out else '--profile', path)
    gpus = torch.cuda.device_count()
    places, kind = (gpus, 'GPUs') if gpus else (available_cores(), 'CPU cores')
    if (most := max(args.processes, default=1)) > places:
        parser.error(f'--processes must be at most {places}, the number of {kind} here, got {most}')


@options.reporting(errors=options.DATA_ERRORS)
def main() -> None:
    """Measure, print a table, and write the file."""
    args = parse_args()
    cfg = options.load_config(args)
    if args.profile is not None:
        args.profile.parent.mkdir(parents=True, exist_ok=True)
        profile_training(cfg, args.profile, warm_up=args.iters)
        print(f'trace written to {args.profile}')
        return
    if args.processes:
        result = scaling(cfg, args.processes, args.iters, args.blocks)
    elif args.data_only:
        result = benchmark_data(cfg, args.iters, args.blocks)
    else:
        options.set_launcher(cfg, args)
        result = benchmark_training(cfg, args.iters, args.blocks, args.runner_only)
        if not is_main_process():
            return
    command = shlex.join(['mmgan-lite', 'benchmark', *sys.argv[1:]])
    report: dict[str, Any] = dict(config=Path(args.config).stem, command=command)
    report |= dict(iters=args.iters, blocks=args.blocks, machine=machine(), versions=versions())
    report |= result
    (print_scaling if args.processes else print_report)(report)
    if args.out is not None:
        with atomic_write(args.out) as temporary:
            temporary.write_text(json.dumps(report, indent=2) + '\n')


def scaling(cfg: Config, counts: Sequence[int], iters: int, blocks: int) -> dict[str, Any]:
    """Measure training by the Runner in several numbers of processes, one after the other.

    The cores are divided among the processes unless ``OMP_NUM_THREADS`` is set.

    Returns:
        ``runs``, one for each count: ``processes``, ``threads`` of each, ``images_per_second`` of
        all together, ``scaling`` (that divided by the first run's), and ``report`` (of the run
        itself).
    """
    runs: list[dict[str, Any]] = []
    for count in counts:
        report = _run_processes(cfg, count, ['--iters', str(iters), '--blocks', str(blocks)])
        speed = report['figures']['runner']['images_per_second']
        run = dict(processes=count, threads=report['machine']['threads'], images_per_second=speed)
        first = runs[0] if runs else run
        runs.append(dict(run, scaling=speed / first['images_per_second'], report=report))
    return dict(runs=runs)


def _run_processes(cfg: Config, count: int, arguments: Sequence[str]) -> dict[str, Any]:
    """The report of this command in several processes; its output is shown if it fails."""
    env = dict(os.environ)
    env.setdefault('OMP_NUM_THREADS', str(max(1, available_cores() // count)))
    with tempfile.TemporaryDirectory(prefix='mmgan_lite_') as folder:
        config, out = f'{folder}/config.py', f'{folder}/report.json'
        cfg.dump(config)
        command = ['-m', 'mmgan_lite.cli.benchmark', config, '--runner-only', '--out', out]
        command += arguments
        if count > 1:  # one process trains without the wrapper for several
            start = ['-m', 'torch.distributed.run', '--standalone', f'--nproc_per_node={count}']
            command = [*start, *command, '--launcher', 'pytorch']
        done = subprocess.run([sys.executable, *command], env=env, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f'{done.stdout}{done.stderr}\n--processes {count} failed, see above.')
        return json.loads(Path(out).read_text())


def print_report(report: Mapping[str, Any]) -> None:
    """Print a line for each figure, then ratios, memory and notes."""
    figures, memory = report['figures'], report['memory']
    rows = []
    for name in filter(figures.__contains__, _ROWS):
        figure, speed, share = figures[name], '', ''
        if 'images_per_second' in figure:
            speed = f'{figure["images_per_second"]:,.0f}'
        if 'runner' in figures:
            share = f'{figure["seconds"] / figures["runner"]["seconds"]:.1%}'
        times = [f'{1e3 * figure[key]:.3f}' for key in ('seconds', 'min_seconds', 'max_seconds')]
        rows.append([_ROWS[name], speed, *times, share])
    _print_table(report, ['', 'images/s', 'ms/iteration', 'min', 'max', 'share'], rows)
    print(f'Medians over {report["blocks"]} blocks of {report["iters"]} iterations.')
    if 'overhead' in figures:
        print('Overhead: the time of the Runner without data and step, block by block.')
    for key in filter(report.__contains__, _RATIOS):
        print(_RATIOS[key].format(**report[key]))
    if memory['growth_mib'] is not None:
        print(
            f'Memory of the process: peak {memory["peak_mib"]:,.0f} MiB, '
            f'{memory["growth_mib"]:+,.1f} MiB from the first block to the last.'
        )
    if memory['device_peak_mib'] is not None:
        print(f'Memory allocated on the GPU: peak {memory["device_peak_mib"]:,.0f} MiB.')
    for note in report['notes']:
        print(note)


def print_scaling(report: Mapping[str, Any]) -> None:
    """Print a line for each number of processes."""
    heads, rows = ['processes', 'threads each', 'images a batch', 'images/s', 'scaling'], []
    for run in report['runs']:
        counts = run['processes'], run['threads'], run['report']['batch_size']
        speeds = f'{run["images_per_second"]:,.0f}', f'{run["scaling"]:.2f}'
        rows.append([*map(str, counts), *speeds])
    _print_table(report, heads, rows)


def _print_table(report: Mapping[str, Any], heads: list[str], rows: list[list[str]]) -> None:
    computer = report['machine']
    where = computer['gpu'] or f'{computer["cpu"]}, threads: {computer["threads"]}'
    batch = f', batches of {report["batch_size"]}' if 'batch_size' in report else ''
    title = f'{report["config"]}{batch}\n{where}, torch {report["versions"]["torch"]}'
    columns = [Column(head, justify='right' if head else 'left') for head in heads]
    table = Table(*columns, title=title, title_justify='left')
    for row in rows:
        table.add_row(*row)
    Console(highlight=False).print(table)


if __name__ == '__main__':  # so that torchrun can start it as a module
    main()
