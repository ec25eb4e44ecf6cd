import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { ownFile, ownProgram } from '../../../src/base/own-files.js';
import { readableStack } from '../../../src/base/readable-stack.js';
import { runCommand } from '../../support/run-command.js';

const PARTS = ownFile('dist/bin/parts');

test('stacks of the program as it ships show the source as it was written', async () => {
  const { stderr } = await runCommand([
    process.execPath,
    ...[ownProgram(), '--debug', 'install', 'no/such:reference:at:all'],
  ]);
  assert.match(stderr, /\n {4}at .*\/src\/cli\/commands\/install\.ts:\d+:\d+/);
  assert.doesNotMatch(stderr, /\/parts\//);
});

test('no file is read for what only looks like a place in a part', () => {
  const error = new Error('text');
  const lines = ['/etc/x.cjs:1:1', `${PARTS}/../x.cjs:1:1`, `${PARTS}/none.cjs:1:1`];
  error.stack = lines.map((place) => `    at f (${place})`).join('\n');
  assert.equal(readableStack(error), error.stack);
});

test('nobody but its owner can write what is run', () => {
  for (const name of readdirSync(PARTS)) {
    const { mode } = statSync(join(PARTS, name));
    assert.equal(mode & 0o022, 0, name);
  }
});

test('the notices of all packages that are in it are with it', () => {
  const notices = readFileSync(ownFile('dist/bin/THIRD-PARTY'), 'utf8');
  for (const name of ['commander', 'handlebars', 'smol-toml', 'undici'])
    assert.match(notices, new RegExp(`^${name} [\\d.]+ \\((MIT|BSD-3-Clause)\\)$`, 'm'));
  assert.match(notices, /^llhttp \(MIT\)$/m, 'which is inside undici');
  assert.equal(notices.match(/Permission is hereby granted|Redistribution and use/g)?.length, 5);
});
