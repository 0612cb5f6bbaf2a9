"""The commands of ``mmgan-lite``; the scripts in ``tools/`` run the same code.

Each module is one command with a ``main()``. Only the one that is asked for is imported.
"""

import difflib
import importlib
import sys

COMMANDS = {
    'train': 'train a model from a config',
    'test': "run a config's test loop on a checkpoint",
    'sample': 'draw images from a trained GAN',
    'interpolate': 'draw ways between images of a trained GAN',
    'publish-model': 'write the generator of a checkpoint alone',
    'list': 'list configs or registered parts',
    'info': 'explain one registered part or config',
    'check-config': 'find all mistakes in configs, without data',
    'print-config': 'print a config with its bases merged',
    'browse-dataset': 'draw what training sees',
    'pack-dataset': 'pack a folder of images into one file',
    'benchmark': 'measure how fast a config trains',
    'plot-log': 'draw the curves of trainings as a picture',
    'report': 'draw a training as one HTML page',
    'train-extractor': 'train the classifier that MNIST metrics use',
}


def main() -> None:
    """Hand over to the command that is the first argument."""
    arguments = sys.argv[1:]
    if not arguments or arguments[0] in ('-h', '--help'):
        print(usage())
        return
    command = arguments[0]
    if command not in COMMANDS:
        near = difflib.get_close_matches(command, COMMANDS, n=1)
        hint = f' Did you mean {near[0]!r}?' if near else ''
        sys.exit(f'mmgan-lite has no command {command!r}.{hint}\n\n{usage()}')
    module = importlib.import_module(f'mmgan_lite.cli.{command.replace("-", "_")}')
    sys.argv = [f'mmgan-lite {command}', *arguments[1:]]
    module.main()


def usage() -> str:
    """All commands with what they do."""
    width = max(map(len, COMMANDS))
    lines = [f'  {name.ljust(width)}  {text}' for name, text in COMMANDS.items()]
    return '\n'.join(['usage: mmgan-lite COMMAND ... (each takes --help)', '', *lines])
