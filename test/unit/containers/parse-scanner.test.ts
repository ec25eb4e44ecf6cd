import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { chooseScan, loadScanners } from '../../../src/containers/scan/load-scanners.js';
import { parseScanner } from '../../../src/containers/scan/parse-scanner.js';
import { assertFails } from '../../support/assert-fails.js';
import { each } from '../../support/each.js';
import { TempDir } from '../../support/temp-dir.js';

const SCANS =
  'scans: [{name: cve, args: [scan, -j1], description: x}, {name: other}]\ndefault_scan: cve\n';
const IMAGE = `type: scanner\nscanner_name: openscap\nimage_name: registry.example/openscap\n${SCANS}`;

test('parseScanner() reads the form of atomic, and a program of the host', () => {
  const custom = "custom_args: ['-v', '/etc/oscapd:/etc/oscapd:ro', '--volume=/srv:/srv/x:Z']\n";
  assert.deepEqual(parseScanner(`${IMAGE}${custom}`, 'f'), {
    name: 'openscap',
    file: 'f',
    runs: { kind: 'image', reference: 'registry.example/openscap' },
    binds: [
      { source: '/etc/oscapd', destination: '/etc/oscapd', readOnly: true },
      { source: '/srv', destination: '/srv/x', readOnly: false },
    ],
    defaultScan: 'cve',
    scans: [
      { name: 'cve', args: ['scan', '-j1'], description: 'x' },
      { name: 'other', args: [], description: '' },
    ],
  });
  const local = 'type: scanner\nscanner_name: l\ncommand: [/bin/x, y]\nscans:\n- name: only\n';
  const scanner = parseScanner(local, 'f');
  assert.deepEqual(scanner?.runs, { kind: 'command', argv: ['/bin/x', 'y'] });
  assert.equal(scanner.defaultScan, 'only');
  assert.equal(parseScanner('type: something-else\nkey: value\n', 'f'), undefined);
});

each(
  'parseScanner() refuses in one line',
  [
    { name: 'a list', text: '[a]', says: /expected keys and values/ },
    {
      name: 'a mistyped key',
      text: IMAGE.replace('image_name', 'imgae_name'),
      says: /'imgae_name' is not known; did you mean 'image_name'/,
    },
    {
      name: 'neither image nor command',
      text: IMAGE.replace(/image_name.*\n/, ''),
      says: /either 'image_name' or 'command'/,
    },
    { name: 'both', text: `${IMAGE}command: [/x]\n`, says: /either 'image_name' or 'command'/ },
    {
      name: 'a command that is no path',
      text: IMAGE.replace(/image_name.*/, 'command: [x]'),
      says: /path of a program/,
    },
    { name: 'no scans', text: IMAGE.replace(/scans.*/, 'scans: []'), says: /names none/ },
    {
      name: 'arguments that are no list',
      text: IMAGE.replace('[scan, -j1]', 'scan'),
      says: /'args' is not a list/,
    },
    {
      name: 'an argument that is a list',
      text: IMAGE.replace('[scan, -j1]', '[[scan]]'),
      says: /'args' is not a text/,
    },
    {
      name: 'a default that is none',
      text: IMAGE.replace('default_scan: cve', 'default_scan: x'),
      says: /none of 'scans': 'x'/,
    },
    {
      name: 'a name that leads out',
      text: IMAGE.replace('openscap', '../../etc'),
      says: /'scanner_name' is no name/,
    },
    {
      name: 'a name with an escape',
      text: IMAGE.replace(': openscap', ': "a\\u001b[2J"'),
      says: /unknown escape/,
    },
    {
      name: 'an option that gives rights',
      text: `${IMAGE}custom_args: [--privileged]\n`,
      says: /only -v [^]*not '--privileged'/,
    },
    {
      name: 'a bind that climbs',
      text: `${IMAGE}custom_args: [-v, '/a/../b:/c']\n`,
      says: /'\/a\/\.\.\/b:\/c' is not SOURCE/,
    },
    {
      name: 'two scans of a name',
      text: IMAGE.replace('name: other', 'name: cve'),
      says: /same name/,
    },
  ],
  async ({ text, says }) => {
    const error = await assertFails('CONFIG_INVALID', () => parseScanner(text, '/etc/x'));
    assert.match(error.message, says);
    assert.match(error.message, /^\/etc\/x: [^\n]+$/);
  },
);

test('loadScanners() leaves out what is no scanner, and what others may write', async () => {
  using dir = new TempDir();
  const [own, theirs] = [join(dir.path, 'own'), join(dir.path, 'theirs')];
  mkdirSync(own);
  mkdirSync(theirs);
  writeFileSync(join(own, 'a'), IMAGE);
  writeFileSync(join(own, 'a~'), 'left by an editor');
  writeFileSync(join(theirs, 'a'), IMAGE.replace('registry.example', 'elsewhere.example'));
  writeFileSync(join(theirs, 'bad'), 'type: [');
  writeFileSync(join(theirs, 'binary'), Buffer.from([0xff, 0xfe]));
  writeFileSync(join(theirs, 'open'), IMAGE.replace('openscap', 'open'));
  chmodSync(join(theirs, 'open'), 0o666);
  mkdirSync(join(theirs, 'folder'));
  const loaded = await loadScanners([own, join(dir.path, 'missing'), theirs]);
  assert.deepEqual(
    loaded.scanners.map(({ file }) => file),
    [join(own, 'a')],
  );
  const problems = loaded.problems.map(({ message }) => message.slice(theirs.length + 1));
  assert.match(
    problems.join('\n'),
    /^bad: line 1[^\n]*\nbinary: is not UTF-8 text\nfolder: [^\n]*\nopen: others than root may write it$/,
  );
});

test('chooseScan() takes what is named, configured or the only one', async () => {
  const [one, two] = ['one', 'two'].map((name) =>
    parseScanner(IMAGE.replace(': openscap', `: ${name}`), name),
  );
  assert.ok(one !== undefined && two !== undefined);
  const nothing = { scanner: undefined, scanType: undefined, defaultScanner: undefined };
  const choose = (
    scanners: (typeof one)[],
    wanted: Partial<Parameters<typeof chooseScan>[1]>,
  ): string => {
    const { scanner, scan } = chooseScan({ scanners, problems: [] }, { ...nothing, ...wanted });
    return `${scanner.name} ${scan.name}`;
  };
  assert.equal(choose([one], {}), 'one cve');
  assert.equal(choose([one, two], { defaultScanner: 'two', scanType: 'other' }), 'two other');
  assert.equal(choose([one, two], { defaultScanner: 'two', scanner: 'one' }), 'one cve');
  await assertFails('CONFIG_INVALID', () => choose([], {}));
  await assertFails('CONFIG_INVALID', () => choose([one, two], {}));
  await assertFails('USAGE', () => choose([one], { scanner: 'three' }));
  await assertFails('USAGE', () => choose([one], { scanType: 'none' }));
});
