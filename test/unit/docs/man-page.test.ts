import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { createProgram } from '../../../src/cli/program.js';
import { catalogue } from '../../../src/errors/catalogue.js';
import { LAUNCHER_STATUSES } from '../../../src/runtime/launcher-status.js';

const page = readFileSync(new URL('../../../../packaging/man/berth.8.md', import.meta.url), 'utf8');

function assertHas(line: string): void {
  assert.ok(page.includes(line), `packaging/man/berth.8.md lacks: ${line}`);
}

test('the manual page has every command with every option', async () => {
  const context = { host: process, signal: new AbortController().signal };
  const program = await createProgram(context, []);
  for (const option of program.options) {
    if (option.long !== '--version') assertHas(`\`${option.flags}\``);
  }
  for (const command of program.commands) {
    for (const leaf of command.commands.length > 0 ? command.commands : [command]) {
      const name = leaf === command ? command.name() : `${command.name()} ${leaf.name()}`;
      assertHas(`### berth ${name}`);
      for (const option of leaf.options) assertHas(`\`${option.flags}\``);
    }
  }
});

test('the manual page has every error code with its status', () => {
  for (const [code, { exitStatus, meaning }] of Object.entries(catalogue)) {
    assertHas(`| ${code} | ${exitStatus} | ${meaning} |`);
  }
});

test('the manual page has every status of the launcher', () => {
  for (const { status, name, meaning } of LAUNCHER_STATUSES)
    assertHas(`| ${status} | ${name} | ${meaning} |`);
});
