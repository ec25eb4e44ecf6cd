import assert from 'node:assert/strict';

import { gainedNeighbours } from '../../../src/containers/gained-neighbours.js';
import { DROP_IN_NAME } from '../../../src/systemd/drop-in.js';
import { each } from '../../support/each.js';
import { folderHost } from '../../support/folder-host.js';
import { side } from '../../support/permitted-sketch.js';
import { TempDir } from '../../support/temp-dir.js';

interface Row {
  readonly name: string;
  /** Lines of [Unit] in the drop-in of berth's. */
  readonly before: string;
  readonly after: string;
  readonly want: readonly string[];
}

each<Row>(
  'gainedNeighbours() tells',
  [
    {
      name: 'P19 a unit of the host that is started',
      before: '',
      after: 'Requires=poweroff.target\nAfter=poweroff.target\n',
      want: ["starts 'poweroff.target' of the host, which it requires"],
    },
    {
      name: 'P19 one that is stopped',
      before: 'Requires=docker.service\n',
      after: 'Requires=docker.service\nConflicts=ssh.service\n',
      want: ["stops 'ssh.service' of the host, which it conflicts with"],
    },
    {
      name: 'nothing of what was so before, and of what only waits',
      before: 'Conflicts=ssh.service\nRequires=docker.service\n',
      after: 'Requires=docker.service\nRequires=network-online.target\nAfter=ssh.service\n',
      want: [],
    },
    {
      name: 'nothing of a container that comes with it',
      before: '',
      after: 'Requires=etcd.service\n',
      want: [],
    },
  ],
  async ({ before, after, want }) => {
    using dir = new TempDir();
    await using host = folderHost(dir.path);
    const [old, now] = [before, after].map((lines) => {
      const plain = side({});
      return { ...plain, texts: new Map([...plain.texts, [DROP_IN_NAME, `[Unit]\n${lines}`]]) };
    });
    assert.ok(old !== undefined && now !== undefined);
    const found = await gainedNeighbours(host, { before: old, after: now }, [{ name: 'etcd' }]);
    assert.deepEqual(found, want);
  },
);
