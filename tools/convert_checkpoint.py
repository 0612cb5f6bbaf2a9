"""Convert a checkpoint of another project. The same as ``mmgan-lite convert-checkpoint``."""

from mmgan_lite.cli.convert_checkpoint import main

if __name__ == '__main__':
    main()
