"""The commands of ``mmgan-lite``; the scripts in ``tools/`` run the same code.

Each module is one command with a ``main()``; only the module of the given command is imported.
"""

import importlib
import os
import sys

from mmgan_lite.utils.validation import did_you_mean

COMMANDS = {
    'train': 'train a model from a config',
    'test': "run a config's test loop on a checkpoint",
    'score': 'compute FID or another metric between two sets of images',
    'sample': 'draw images from a trained GAN',
    'interpolate': 'interpolate between images of a trained GAN',
    'translate': 'translate images by a trained model, such as a CycleGAN',
    'publish-model': 'write only the generators of a checkpoint',
    'convert-checkpoint': 'convert a checkpoint of another project',
    'list': 'list configs or registered parts',
    'info': 'explain one registered part or config',
    'migrate-config': 'turn a config of MMGeneration or MMagic into one of ours',
    'check-config': 'find all mistakes in configs, without data',
    'print-config': 'print a config with its bases merged',
    'download-dataset': 'download published data for image translation',
    'inspect-data': 'print what is in a folder of images',
    'browse-dataset': 'draw images as training gets them',
    'pack-dataset': 'pack a folder of images into one file',
    'benchmark': 'measure how fast a config trains',
    'plot-log': 'plot the curves of trainings',
    'report': 'write a report of a training as one HTML page',
    'train-extractor': 'train the classifier that MNIST metrics use',
}
# Those that use no other pipe than standard output.
_PRINTING = ('list', 'info', 'check-config', 'print-config', 'migrate-config')


def main() -> None:
    """Run the command that is the first argument."""
    command, *arguments = sys.argv[1:] or ['--help']
    if command in ('-h', '--help'):
        print(usage())
        return
    if command not in COMMANDS:
        error = f'mmgan-lite has no command {command!r}. {did_you_mean(command, COMMANDS)}'
        sys.exit(f'{error.rstrip()}\n\n{usage()}')
    module = importlib.import_module(f'mmgan_lite.cli.{command.replace("-", "_")}')
    sys.argv = [f'mmgan-lite {command}', *arguments]
    try:
        try:
            module.main()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        if command not in _PRINTING:
            raise
        # Of what reads the output, such as head. Python flushes it once more at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def usage() -> str:
    """A list of all commands."""
    width = max(map(len, COMMANDS))
    lines = [f'  {name.ljust(width)}  {text}' for name, text in COMMANDS.items()]
    return '\n'.join(['usage: mmgan-lite COMMAND ... (each takes --help)', '', *lines])
