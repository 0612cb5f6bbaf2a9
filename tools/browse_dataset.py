"""Draw what training sees. The same as ``mmgan-lite browse-dataset``."""

from mmgan_lite.cli.browse_dataset import main

if __name__ == '__main__':
    main()
