"""Train a model from a config. The same as ``mmgan-lite train``."""

from mmgan_lite.cli.train import main

if __name__ == '__main__':
    main()
