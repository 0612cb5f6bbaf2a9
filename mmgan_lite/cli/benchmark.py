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
from rich.table import Table

from mmgan_lite.cli.options import (
    add_config,
    add_launcher,
    check_file,
    load_config,
    positive_int,
    set_launcher,
)
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


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description='Measure the speed of training a config: by the Runner, by a reference loop in '
        'plain PyTorch on the same networks, and of its parts, alternately.'
    )
    add_config(parser)
    parser.add_argument(
        '--iters', type=positive_int, default=50, help='iterations of a block (default: 50)'
    )
    parser.add_argument(
        '--blocks', type=positive_int, default=7, help='blocks of each that count (default: 7)'
    )
    parser.add_argument('--out', type=Path, metavar='FILE', help='JSON file for all figures')
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument(
        '--data-only', action='store_true', help='the data loader alone; needs no GAN'
    )
    mode.add_argument('--runner-only', action='store_true', help='training by the Runner only')
    mode.add_argument(
        '--profile',
        type=Path,
        metavar='FILE',
        help='trace some iterations instead, for chrome://tracing or Perfetto',
    )
    mode.add_argument(
        '--processes',
        type=_counts,
        metavar='N,N',
        help='training by the Runner in these numbers of processes, such as 1,2,4',
    )
    add_launcher(parser)
    args = parser.parse_args()
    _check(parser, args)
    return args


def _counts(text: str) -> list[int]:
    try:
        counts = [int(count) for count in text.split(',')]
    except ValueError:
        counts = [0]
    if min(counts) < 1 or len(set(counts)) < len(counts):
        raise argparse.ArgumentTypeError(f'must be different ints >= 1, like 1,2, got {text!r}')
    return counts


def _check(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    if args.launcher != 'none' and not args.runner_only:
        parser.error(
            f'--launcher {args.launcher} needs --runner-only: the reference loop and the parts run '
            'in one process. --processes 1,2 starts the processes itself'
        )
    if args.out is not None and args.profile is not None:
        parser.error('--out cannot be combined with --profile, which gives no figures')
    for option, path in (('--out', args.out), ('--profile', args.profile)):
        if path is not None:
            check_file(option, path)
    if args.processes is not None:
        places, kind = available_cores(), 'CPU cores'
        if torch.cuda.is_available():
            places, kind = torch.cuda.device_count(), 'GPUs'
        if max(args.processes) > places:
            parser.error(
                f'--processes must be at most {places}, the number of {kind} here, '
                f'got {max(args.processes)}'
            )


def main() -> None:
    """Measure, print a table, and write the file."""
    args = parse_args()
    cfg = load_config(args)
    if args.profile is not None:
        args.profile.parent.mkdir(parents=True, exist_ok=True)
        profile_training(cfg, args.profile, warm_up=args.iters)
        print(f'trace written to {args.profile}')
        return
    if args.processes is not None:
        result = scaling(cfg, args.processes, args.iters, args.blocks)
    elif args.data_only:
        result = benchmark_data(cfg, args.iters, args.blocks)
    else:
        set_launcher(cfg, args)
        result = benchmark_training(cfg, args.iters, args.blocks, args.runner_only)
        first = is_main_process()
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
        if not first:
            return
    report = dict(
        config=Path(args.config).stem,
        command=shlex.join(['mmgan-lite', 'benchmark', *sys.argv[1:]]),
        iters=args.iters,
        blocks=args.blocks,
        machine=machine(),
        versions=versions(),
        **result,
    )
    if args.processes is None:
        print_report(report)
    else:
        print_scaling(report)
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
    with tempfile.TemporaryDirectory(prefix='mmgan_lite_') as folder:
        config = Path(folder) / 'config.py'
        cfg.dump(config)
        for count in counts:
            out = Path(folder) / f'{count}.json'
            options = ('--runner-only', '--iters', str(iters), '--blocks', str(blocks))
            _run_processes(count, [str(config), *options, '--out', str(out)])
            report = json.loads(out.read_text())
            speed = report['figures']['runner']['images_per_second']
            runs.append(
                dict(
                    processes=count,
                    threads=report['machine']['threads'],
                    images_per_second=speed,
                    scaling=speed / runs[0]['images_per_second'] if runs else 1.0,
                    report=report,
                )
            )
    return dict(runs=runs)


def _run_processes(count: int, arguments: Sequence[str]) -> None:
    """Run this command in several processes; its output is shown if it fails."""
    # One process trains without the wrapper for several.
    command = ['-m', 'mmgan_lite.cli.benchmark', *arguments]
    if count > 1:
        start = ['-m', 'torch.distributed.run', '--standalone', f'--nproc_per_node={count}']
        command = [*start, *command, '--launcher', 'pytorch']
    environment = dict(os.environ)
    environment.setdefault('OMP_NUM_THREADS', str(max(1, available_cores() // count)))
    done = subprocess.run(
        [sys.executable, *command], env=environment, capture_output=True, text=True
    )
    if done.returncode != 0:
        sys.exit(f'{done.stdout}{done.stderr}\n--processes {count} failed, see above.')


def print_report(report: Mapping[str, Any]) -> None:
    """Print a line for each figure, then ratios, memory and notes."""
    figures, blocks = report['figures'], report['blocks']
    total = figures.get('runner', {}).get('seconds')
    table = Table(title=_title(report), title_justify='left')
    table.add_column('')
    for head in ('images/s', 'ms/iteration', 'min', 'max', 'share'):
        table.add_column(head, justify='right')
    for name in filter(figures.__contains__, _ROWS):
        row = figures[name]
        speed = row.get('images_per_second')
        table.add_row(
            _ROWS[name],
            '' if speed is None else f'{speed:,.0f}',
            *(f'{1e3 * row[key]:.3f}' for key in ('seconds', 'min_seconds', 'max_seconds')),
            '' if total is None else f'{row["seconds"] / total:.1%}',
        )
    console = Console(highlight=False)
    console.print(table)
    console.print(f'Medians over {blocks} blocks of {report["iters"]} iterations.')
    if 'overhead' in figures:
        console.print('Overhead: the time of the Runner without data and step, block by block.')
    if 'reference_to_runner' in report:
        ratio = report['reference_to_runner']
        console.print(
            f'The Runner reaches {ratio["median"]:.1%} of the speed of the reference loop '
            f'({ratio["min"]:.1%} to {ratio["max"]:.1%} over the blocks).'
        )
    if 'float32_to_step' in report:
        ratio = report['float32_to_step']
        console.print(
            f'Without mixed precision the step takes {ratio["median"]:.2f} times as long '
            f'({ratio["min"]:.2f} to {ratio["max"]:.2f} over the blocks).'
        )
    for line in (*_memory_lines(report['memory']), *report['notes']):
        console.print(line, markup=False)


def _memory_lines(memory: Mapping[str, float | None]) -> list[str]:
    lines = []
    if memory['peak_mib'] is not None and memory['growth_mib'] is not None:
        lines.append(
            f'Memory of the process: peak {memory["peak_mib"]:,.0f} MiB, '
            f'{memory["growth_mib"]:+,.1f} MiB from the first block to the last.'
        )
    if memory['device_peak_mib'] is not None:
        lines.append(f'Memory allocated on the GPU: peak {memory["device_peak_mib"]:,.0f} MiB.')
    return lines


def print_scaling(report: Mapping[str, Any]) -> None:
    """Print a line for each number of processes."""
    table = Table(title=_title(report), title_justify='left')
    for head in ('processes', 'threads each', 'images a batch', 'images/s', 'scaling'):
        table.add_column(head, justify='right')
    for run in report['runs']:
        table.add_row(
            str(run['processes']),
            str(run['threads']),
            str(run['report']['batch_size']),
            f'{run["images_per_second"]:,.0f}',
            f'{run["scaling"]:.2f}',
        )
    Console(highlight=False).print(table)


def _title(report: Mapping[str, Any]) -> str:
    device, threads = report['machine']['gpu'], report['machine']['threads']
    where = device or f'{report["machine"]["cpu"]}, threads: {threads}'
    batch = f', batches of {report["batch_size"]}' if 'batch_size' in report else ''
    return f'{report["config"]}{batch}\n{where}, torch {report["versions"]["torch"]}'


if __name__ == '__main__':  # so that torchrun can start it as a module
    main()
