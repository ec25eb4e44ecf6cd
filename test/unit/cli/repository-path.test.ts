import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { repositoryPath } from '../../../src/cli/open-store.js';
import { DEFAULT_CONF } from '../../../src/config/berth-conf.js';
import { resolveHostPaths, type HostMode } from '../../../src/config/host-paths.js';
import { each } from '../../support/each.js';
import { TempDir } from '../../support/temp-dir.js';

const ATOMIC = '/var/lib/containers/atomic/.storage/ostree';
const OWN = '/var/lib/berth/.ostree';

each(
  'the OSTree repository is',
  [
    { name: 'made beside the deployments', there: [], want: OWN },
    { name: "the host's", there: ['/ostree/repo', ATOMIC, OWN], want: '/ostree/repo' },
    { name: "atomic's, where berth has none", there: [ATOMIC], want: ATOMIC },
    { name: "berth's, where it has one", there: [ATOMIC, OWN], want: OWN },
    { name: "a user's own", there: ['/ostree/repo'], mode: 'user', want: '/home/u/berth/.ostree' },
  ] as readonly {
    readonly name: string;
    readonly there: readonly string[];
    readonly mode?: HostMode;
    readonly want: string;
  }[],
  ({ there, mode = 'system', want }) => {
    using dir = new TempDir();
    for (const path of there) {
      mkdirSync(join(dir.path, path, 'objects'), { recursive: true });
      writeFileSync(join(dir.path, path, 'config'), '');
    }
    const env = { HOME: '/home/u', XDG_DATA_HOME: '/home/u', XDG_RUNTIME_DIR: '/run/user/1' };
    const paths = resolveHostPaths({ mode, root: dir.path, env });
    assert.equal(repositoryPath(paths, DEFAULT_CONF), join(dir.path, want));
  },
);
