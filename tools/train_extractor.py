"""Train the classifier that MNIST metrics use. The same as ``mmgan-lite train-extractor``."""

from mmgan_lite.cli.train_extractor import main

if __name__ == '__main__':
    main()
