import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';

import { parseToml } from '../../src/base/toml.js';
import { DEFAULT_CONF, loadBerthConf } from '../../src/config/berth-conf.js';
import { loadConf } from '../../src/cli/load-conf.js';
import { resolveHostPaths } from '../../src/config/host-paths.js';
import { assertFails } from '../support/assert-fails.js';
import { each } from '../support/each.js';
import { TempDir } from '../support/temp-dir.js';

/** Loads a file with this content. */
async function load(
  content: string | Buffer,
  env: Readonly<Record<string, string>> = {},
): ReturnType<typeof loadBerthConf> {
  using folder = new TempDir();
  const file = `${folder.path}/berth.conf`;
  writeFileSync(file, content);
  return await loadBerthConf({ file, env });
}

/** What a reader gives that takes whatever is there: `undefined` where it would go on with the wrong thing, too. */
function naiveKeep(text: string): unknown {
  const document = parseToml(text, 'berth.conf') as { deployments?: { keep?: unknown } };
  return document.deployments?.keep ?? 2;
}

test('a file that is not there says nothing, and one that is there does', async () => {
  const missing = await loadBerthConf({ file: '/nonexistent/berth.conf', env: {} });
  assert.deepEqual(missing, DEFAULT_CONF);
  assert.equal(missing.deployments.keep, 2);
  const conf = await load('[deployments]\nkeep = 5\n[network]\nmax-rate = "1K"\n');
  assert.deepEqual([conf.deployments.keep, conf.network['max-rate']], [5, 1024]);
});

test('the environment counts more than the file, and an empty variable nothing', async () => {
  const text = '[deployments]\nkeep = 5\n[health]\nsoak = "1m"\n';
  const env = { BERTH_KEEP_DEPLOYMENTS: '7', BERTH_HEALTH_SOAK: '' };
  const conf = await load(text, env);
  assert.deepEqual([conf.deployments.keep, conf.health.soak], [7, 60_000]);
  for (const wrong of ['0', '101', '2x', '-1', '١'])
    await assertFails('CONFIG_INVALID', () => load(text, { BERTH_KEEP_DEPLOYMENTS: wrong }));
  for (const wrong of ['-1', '1e9', 'ten', '999999'])
    await assertFails('CONFIG_INVALID', () => load(text, { BERTH_HEALTH_SOAK: wrong }));
});

each(
  'a berth.conf with',
  [
    {
      name: 'a misspelt section',
      text: '[deployment]\nkeep = 3',
      says: /did you mean 'deployments'/,
    },
    { name: 'a misspelt key', text: '[deployments]\nkep = 3', says: /deployments\.kep.*'keep'/ },
    {
      name: 'a key outside its section',
      text: 'keep = 3',
      says: /belongs below '\[deployments\]'/,
    },
    {
      name: 'a key of Object',
      text: '[deployments]\n__proto__ = 3',
      says: /'deployments\.__proto__'/,
    },
    { name: 'a section of Object', text: '[constructor]\nkeep = 3', says: /'constructor'/ },
    { name: 'a text for a number', text: '[deployments]\nkeep = "3"', says: /number from 1.*'3'/ },
    { name: 'a number out of range', text: '[deployments]\nkeep = 0', says: /1 to 100, got 0/ },
    { name: 'a number for a section', text: 'deployments = 3', says: /expected a section, got 3/ },
    { name: 'a list for a section', text: '[[deployments]]\nkeep = 3', says: /got a list/ },
    { name: 'a date for a section', text: 'health = 1979-05-27', says: /got a date/ },
    { name: 'a section for a value', text: '[deployments.keep]\nx = 3', says: /got a section/ },
  ],
  async ({ text, says }) => {
    const error = await assertFails('CONFIG_INVALID', () => load(text));
    assert.match(error.message, says);
    assert.match(error.message, /\/berth\.conf: /);
    // The naive reader takes it, or goes on with the default as if nothing were said.
    assert.doesNotThrow(() => naiveKeep(text));
  },
);

each(
  'a berth.conf that',
  [
    { name: 'is no TOML', content: '[deployments\nkeep = 3', says: /line 1/ },
    { name: 'says a thing twice', content: '[health]\nsoak = 1\nsoak = 2', says: /line 3/ },
    { name: 'is nested without end', content: `a = ${'['.repeat(60_000)}`, says: /nested/ },
    { name: 'is no text', content: Buffer.from([0x61, 0xff, 0xfe]), says: /UTF-8/ },
    { name: 'is huge', content: `#${'x'.repeat(65_536)}`, says: /larger than 65536/ },
    { name: 'has an escape sequence in a key', content: '"\\u001b[31m" = 1', says: /\\x1b/ },
  ],
  async ({ content, says }) => {
    const error = await assertFails('CONFIG_INVALID', () => load(content));
    assert.match(error.message, says);
    assert.ok(error.message.length < 400, `${error.message.length} characters`);
    assert.doesNotMatch(error.message, /[\n\u001b]/, 'one line');
  },
);

test('a value is not told at length, and never the value of an unknown key', async () => {
  const long = await assertFails('CONFIG_INVALID', () =>
    load(`[deployments]\nkeep = "${'k'.repeat(5_000)}"`),
  );
  assert.ok(long.message.length < 300, long.message);
  const unknown = await assertFails('CONFIG_INVALID', () =>
    load('[network]\npassword = "hunter2"'),
  );
  assert.doesNotMatch(unknown.message, /hunter2/);
});

test('a FIFO in the place of berth.conf does not hang the command', async () => {
  using folder = new TempDir();
  const file = `${folder.path}/berth.conf`;
  execFileSync('mkfifo', [file]);
  await assertFails('CONFIG_INVALID', () => loadBerthConf({ file, env: {} }));
});

test('a file that BERTH_CONFIG names has to be there, by an absolute path', async () => {
  const env = { BERTH_CONFIG: '/nonexistent/berth.conf' };
  const error = await assertFails('CONFIG_INVALID', () =>
    loadBerthConf({ file: env.BERTH_CONFIG, env }),
  );
  assert.match(error.message, /BERTH_CONFIG/);
  await assertFails('CONFIG_INVALID', () =>
    resolveHostPaths({ mode: 'system', env: { BERTH_CONFIG: 'berth.conf' } }),
  );
});

test('in user mode it is below XDG_CONFIG_HOME', () => {
  const env = { HOME: '/home/u', XDG_RUNTIME_DIR: '/run/user/1', XDG_CONFIG_HOME: '/home/u/c' };
  assert.equal(resolveHostPaths({ mode: 'user', env }).confFile, '/home/u/c/berth/berth.conf');
});

test('what has to go on hears of every problem and has the rest', async () => {
  using folder = new TempDir();
  const file = `${folder.path}/berth.conf`;
  writeFileSync(file, '[deployments]\nkep = 1\nkeep = 4\n[health]\nsoak = "x"\n[colour]\n');
  const problems: string[] = [];
  const onProblem = ({ message }: Error): unknown => problems.push(message);
  const conf = await loadBerthConf({ file, env: {}, onProblem });
  assert.deepEqual([conf.deployments.keep, conf.health.soak], [4, undefined]);
  assert.equal(problems.length, 3, problems.join('\n'));
});

test('a tree cannot have the file of the machine that builds it read', async () => {
  using tree = new TempDir();
  using outside = new TempDir();
  writeFileSync(`${outside.path}/berth.conf`, '[deployments]\nkeep = 9\n');
  mkdirSync(`${tree.path}/etc`);
  const paths = resolveHostPaths({ mode: 'system', root: tree.path, env: {} });
  const context = { host: { ...process, env: {} }, signal: new AbortController().signal } as never;
  const file = (): string => paths.onDisk(paths.confFile);
  symlinkSync(outside.path, `${tree.path}/etc/berth`);
  await assertFails('HOST_PATH_REFUSED', () => loadConf(context, {}, paths));
  // The naive way: open what the tree says.
  assert.equal((await loadBerthConf({ file: file(), env: {} })).deployments.keep, 9);
});
