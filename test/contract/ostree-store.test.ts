import { existsSync } from 'node:fs';

import { openOstreeStore } from '../../src/store/ostree/ostree-store.js';
import { runOk } from '../support/run-command.js';
import { imageStoreContract } from './image-store.js';

imageStoreContract({
  name: 'ostree',
  open: openOstreeStore,
  keepsTimes: false,
  inspect: async (repository) => {
    if (existsSync(repository)) await runOk(['ostree', 'fsck', `--repo=${repository}`, '--quiet']);
  },
});
