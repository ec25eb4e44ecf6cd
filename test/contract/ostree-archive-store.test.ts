import { existsSync } from 'node:fs';

import { createRepo } from '../../ostree-adapter/index.js';
import { openOstreeStore } from '../../src/store/ostree/ostree-store.js';
import { runOk } from '../support/run-command.js';
import { imageStoreContract } from './image-store.js';

/** Repositories that serve others keep files compressed, and libostree has other ways into them. */
imageStoreContract({
  name: 'ostree archive',
  open: (directory) => {
    if (!existsSync(directory)) createRepo({ path: directory, mode: 'archive' })[Symbol.dispose]();
    return openOstreeStore(directory);
  },
  keepsTimes: false,
  inspect: async (repository) => {
    if (existsSync(repository)) await runOk(['ostree', 'fsck', `--repo=${repository}`, '--quiet']);
  },
});
