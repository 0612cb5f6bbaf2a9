"""Turn a config of another project into ours. The same as ``mmgan-lite migrate-config``."""

from mmgan_lite.cli.migrate_config import main

if __name__ == '__main__':
    main()
