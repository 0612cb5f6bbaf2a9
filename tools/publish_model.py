"""Write the generator of a checkpoint alone. The same as ``mmgan-lite publish-model``."""

from mmgan_lite.cli.publish_model import main

if __name__ == '__main__':
    main()
