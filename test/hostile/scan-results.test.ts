import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { formatScan } from '../../src/cli/output/format-scan.js';
import { parseScanReport, readScanReport } from '../../src/containers/scan/scan-report.js';
import { assertFails } from '../support/assert-fails.js';
import { each } from '../support/each.js';
import { TempDir } from '../support/temp-dir.js';

// A scanner reads the roots of strangers, and may be one itself: what it writes is data, and nothing of it is followed.

const GOOD = { UUID: '/scanin/web.0', Successful: 'true', Vulnerabilities: [{ Title: 't' }] };

const bytes = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

/** Places of results, each made by a scanner that means harm. */
const PLACES: readonly { name: string; make: (folder: string, secret: string) => void }[] = [
  { name: 'nothing', make: () => undefined },
  {
    name: 'a link to a file of the host',
    make: (folder, secret) => {
      mkdirSync(join(folder, 'web.0'));
      symlinkSync(secret, join(folder, 'web.0/json'));
    },
  },
  {
    name: 'a link in place of the folder',
    make: (folder, secret) => {
      symlinkSync(join(secret, '..'), join(folder, 'web.0'));
    },
  },
  {
    name: 'a pipe that nobody writes to',
    make: (folder) => {
      mkdirSync(join(folder, 'web.0'));
      execFileSync('mkfifo', [join(folder, 'web.0/json')]);
    },
  },
  {
    name: 'a file of a terabyte',
    make: (folder) => {
      mkdirSync(join(folder, 'web.0'));
      writeFileSync(join(folder, 'web.0/json'), '');
      truncateSync(join(folder, 'web.0/json'), 2 ** 40);
    },
  },
];

each('a scanner that leaves, in place of its result,', PLACES, async ({ make }) => {
  using dir = new TempDir();
  mkdirSync(join(dir.path, 'host'));
  mkdirSync(join(dir.path, 'results'));
  const secret = join(dir.path, 'host/json');
  writeFileSync(secret, JSON.stringify({ ...GOOD, Custom: 'SECRET OF THE HOST' }));
  make(join(dir.path, 'results'), secret);
  const error = await assertFails('SCAN_FAILED', () =>
    readScanReport(join(dir.path, 'results'), 'web.0'),
  );
  assert.doesNotMatch(`${error.message} ${String(error.cause)}`, /SECRET/);
});

test('a naive reader gives away the file of the host', () => {
  using dir = new TempDir();
  mkdirSync(join(dir.path, 'results'));
  mkdirSync(join(dir.path, 'results/web.0'));
  writeFileSync(join(dir.path, 'secret'), JSON.stringify({ ...GOOD, Custom: 'SECRET' }));
  symlinkSync(join(dir.path, 'secret'), join(dir.path, 'results/web.0/json'));
  assert.match(readFileSync(join(dir.path, 'results/web.0/json'), 'utf8'), /SECRET/);
});

each(
  'a result is refused:',
  [
    { name: 'no JSON', content: Buffer.from('{"Successful": true'), code: 'JSON_INVALID' as const },
    { name: 'not UTF-8', content: Buffer.from([0x22, 0xff, 0x22]), code: 'JSON_INVALID' as const },
    {
      name: 'a key twice',
      content: Buffer.from('{"Successful":"true","Successful":"false"}'),
      code: 'JSON_INVALID' as const,
    },
    {
      name: 'deep nesting',
      content: Buffer.from('['.repeat(100_000)),
      code: 'JSON_INVALID' as const,
    },
    { name: 'a list', content: bytes([]), code: 'SCAN_FAILED' as const },
    {
      name: 'of another root',
      content: bytes({ ...GOOD, UUID: '/scanin/db.0' }),
      code: 'SCAN_FAILED' as const,
    },
    {
      name: 'without success',
      content: bytes({ ...GOOD, Successful: 'false' }),
      code: 'SCAN_FAILED' as const,
    },
    { name: 'that does not say', content: bytes({ UUID: 'web.0' }), code: 'SCAN_FAILED' as const },
    {
      name: 'findings that are no list',
      content: bytes({ ...GOOD, Vulnerabilities: { a: 1 } }),
      code: 'SCAN_FAILED' as const,
    },
    {
      name: 'a finding that is none',
      content: bytes({ ...GOOD, Vulnerabilities: ['x'] }),
      code: 'SCAN_FAILED' as const,
    },
  ],
  async ({ content, code }) => {
    await assertFails(code, () => parseScanReport(content, 'web.0'));
  },
);

test('what a scanner says neither writes on the terminal nor fills it', () => {
  const nasty = '\u001b]0;owned\u0007\u202egpj\n! forged';
  const report = parseScanReport(
    bytes({
      ...GOOD,
      Vulnerabilities: Array.from({ length: 2_000 }, () => ({
        Title: nasty,
        Severity: nasty,
        Custom: { [nasty]: [nasty] },
      })),
    }),
    'web.0',
  );
  const root = {
    kind: 'container',
    name: 'web',
    what: 'web.0',
    status: 'found',
    report,
    file: 'f',
    problem: undefined,
  } as const;
  const text = formatScan({ scanner: 's', scan: 'c', results: '/r', scanned: [root] });
  assert.doesNotMatch(text, /[\u0000-\u0009\u000b-\u001f\u202e]/);
  assert.doesNotMatch(text, /^! forged/m);
  assert.ok(text.split('\n').length < 600, 'the terminal is flooded');
  assert.match(text, /lines more in the results/);
});
