import assert from 'node:assert/strict';

import { trustPlaces } from '../../../src/cli/open-trust.js';
import { DEFAULT_CONF } from '../../../src/config/berth-conf.js';
import { resolveHostPaths } from '../../../src/config/host-paths.js';
import { parseReference, type QualifiedReference } from '../../../src/oci/reference.js';
import { loadRegistriesD, placesFor } from '../../../src/trust/registries-d.js';
import { each } from '../../support/each.js';
import { TempDir } from '../../support/temp-dir.js';

const identity = {
  transport: 'docker',
  reference: parseReference('registry.example/etcd:1') as QualifiedReference,
} as const;

each(
  'where nothing is said of signatures, they are where podman and skopeo have them',
  [
    { name: 'for root', mode: 'system', want: 'file:///var/lib/containers/sigstore' },
    {
      name: 'for an ordinary user',
      mode: 'user',
      want: 'file:///home/a%20b/.local/share/containers/sigstore',
    },
  ] as const,
  async ({ mode, want }) => {
    using dir = new TempDir();
    const env = { HOME: '/home/a b', XDG_DATA_HOME: '/data', XDG_RUNTIME_DIR: '/run/user/1' };
    const paths = resolveHostPaths({ mode, root: dir.path, env });
    const { registriesD, lookaside } = await trustPlaces(paths, DEFAULT_CONF);
    const places = placesFor(await loadRegistriesD(registriesD, lookaside), identity);
    assert.deepEqual(places, { lookaside: want, staging: want, attachments: false });
  },
);
