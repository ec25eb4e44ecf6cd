import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { readFirstBootPresets } from '../../../src/systemd/first-boot-presets.js';
import { each } from '../../support/each.js';
import { TempDir } from '../../support/temp-dir.js';

const USR = 'usr/lib/systemd/system-preset';
const ETC = 'etc/systemd/system-preset';

each<{
  readonly name: string;
  readonly files: Readonly<Record<string, string>>;
  readonly links?: Readonly<Record<string, string>>;
  /** Undefined where the first boot is over. */
  readonly want: string | undefined;
}>(
  'readFirstBootPresets() of web.service',
  [
    { name: 'nothing says anything: it is enabled', files: {}, want: 'enable' },
    {
      name: 'a tree that was booted',
      files: { 'etc/machine-id': `${'0'.repeat(32)}\n` },
      want: undefined,
    },
    { name: 'an empty id is no first boot', files: { 'etc/machine-id': '' }, want: undefined },
    {
      name: 'an id to be made at the first boot',
      files: { 'etc/machine-id': 'uninitialized\n' },
      want: 'enable',
    },
    {
      name: 'the name',
      files: { [`${USR}/50-a.preset`]: 'disable web.service\n' },
      want: 'disable',
    },
    {
      name: 'another name',
      files: { [`${USR}/50-a.preset`]: 'disable web2.service\n' },
      want: 'enable',
    },
    {
      name: 'all',
      files: { [`${USR}/99-default.preset`]: '# none\n; none\n\ndisable *\n' },
      want: 'disable',
    },
    {
      name: 'a pattern',
      files: { [`${USR}/50-a.preset`]: '  ignore [v-w]?b.*\n' },
      want: 'ignore',
    },
    {
      name: 'a pattern of others',
      files: { [`${USR}/50-a.preset`]: 'disable [!w]eb.service\n' },
      want: 'enable',
    },
    {
      name: 'a dot is a dot',
      files: { [`${USR}/50-a.preset`]: 'disable web?service\ndisable webxservice\n' },
      want: 'disable',
    },
    {
      name: 'a pattern that means nothing',
      files: { [`${USR}/50-a.preset`]: 'disable [z-a]*\ndisable [\n' },
      want: 'enable',
    },
    {
      name: 'the first line',
      files: { [`${USR}/50-a.preset`]: 'enable web.service\ndisable *\n' },
      want: 'enable',
    },
    {
      name: 'the file whose name is first, whatever its folder',
      files: { [`${ETC}/20-b.preset`]: 'disable *\n', [`${USR}/10-a.preset`]: 'enable web.*\n' },
      want: 'enable',
    },
    {
      name: 'the file of /etc in place of one with its name',
      files: { [`${ETC}/10-a.preset`]: 'disable *\n', [`${USR}/10-a.preset`]: 'enable web.*\n' },
      want: 'disable',
    },
    {
      name: 'a mask of a file',
      files: { [`${USR}/10-a.preset`]: 'disable *\n' },
      links: { [`${ETC}/10-a.preset`]: '/dev/null' },
      want: 'enable',
    },
    {
      name: 'what is no preset',
      files: { [`${USR}/50-a.conf`]: 'disable *\n', [`${USR}/50-a.preset`]: 'stop *\n' },
      want: 'enable',
    },
  ],
  ({ files, links = {}, want }) => {
    using root = new TempDir();
    for (const path of [...Object.keys(files), ...Object.keys(links)])
      mkdirSync(dirname(join(root.path, path)), { recursive: true });
    for (const [path, text] of Object.entries(files)) writeFileSync(join(root.path, path), text);
    for (const [path, target] of Object.entries(links)) symlinkSync(target, join(root.path, path));
    assert.equal(readFirstBootPresets(root.path)?.('web.service'), want);
  },
);
