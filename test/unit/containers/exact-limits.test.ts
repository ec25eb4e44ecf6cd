import assert from 'node:assert/strict';

import { withConfigChanges } from '../../../src/containers/config-changes.js';
import { withHostBinds } from '../../../src/containers/host-binds.js';
import { withSystemCallFilter } from '../../../src/containers/system-call-filter.js';
import { parsePlainConfig } from '../../../src/templates/render-config.js';
import { each } from '../../support/each.js';
import { runtimeConfigDocument } from '../../support/runtime-config.js';

// 2^64-1 is no limit in many a config.json; the next double is one that crun and runc cannot read.

const LIMIT = '"hard":18446744073709551615';

const CONFIG = JSON.stringify(
  runtimeConfigDocument({ process: { rlimits: [{ type: 'RLIMIT_CORE', hard: 0, soft: 1 }] } }),
).replace('"hard":0', LIMIT);

const BIND = { source: '/a', destination: '/b', readOnly: true };

each<{ readonly name: string; readonly write: () => string | Promise<string> }>(
  'a limit of 2^64-1 stays one where a config.json is written again:',
  [
    {
      name: 'with changes',
      write: () => withConfigChanges(CONFIG, { path: '', sha256: '', patch: { hostname: 'x' } }),
    },
    { name: 'with folders of the host', write: () => withHostBinds(CONFIG, [BIND]) },
    {
      name: 'with another filter',
      write: async () => {
        const choice = { kind: 'unconfined' } as const;
        const request = { choice, ownConfig: true, architecture: 'amd64' };
        return (await withSystemCallFilter(CONFIG, request)).text;
      },
    },
    {
      name: 'without orders to other runtimes',
      write: () => {
        const text = CONFIG.replace('{', '{"annotations":{"run.oci.x":"1"},');
        const { text: written, droppedAnnotations } = parsePlainConfig(text);
        assert.deepEqual(droppedAnnotations, ['run.oci.x']);
        return written;
      },
    },
  ],
  async ({ write }) => {
    const written = await write();
    assert.notEqual(written, CONFIG);
    assert.ok(written.replaceAll(/\s/g, '').includes(LIMIT), written);
  },
);
