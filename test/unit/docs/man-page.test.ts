import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { ATOMIC_SPELLINGS } from '../../../src/cli/atomic-spellings.js';
import { createProgram } from '../../../src/cli/program.js';
import { catalogue } from '../../../src/errors/catalogue.js';
import { COMMAND_NAMES } from '../../../src/runtime-cli/help.js';
import { runRuntime } from '../../../src/runtime-cli/program.js';
import { LAUNCHER_STATUSES } from '../../../src/runtime/launcher-status.js';

const page = readFileSync(new URL('../../../../packaging/man/berth.8.md', import.meta.url), 'utf8');

function assertHas(line: string, text = page, where = ''): void {
  assert.ok(text.includes(line), `packaging/man/berth.8.md lacks: ${where}${line}`);
}

/** What stands below a heading, up to the next one. */
function section(heading: string): string {
  const from = page.search(new RegExp(`^${heading}(?: |$)`, 'm'));
  assert.notEqual(from, -1, `packaging/man/berth.8.md lacks: ${heading}`);
  const rest = page.slice(from + heading.length);
  const end = rest.search(/^#/m);
  return end === -1 ? rest : rest.slice(0, end);
}

test('the manual page has every command with every option', async () => {
  const context = { host: process, signal: new AbortController().signal };
  const program = await createProgram(context, []);
  for (const option of program.options) {
    if (option.long !== '--version') assertHas(`\`${option.flags}\``);
  }
  const everywhere = new Set(program.options.map(({ flags }) => flags));
  for (const command of program.commands) {
    for (const leaf of command.commands.length > 0 ? command.commands : [command]) {
      const name = leaf === command ? command.name() : `${command.name()} ${leaf.name()}`;
      const own = section(`### berth ${name}`);
      const same = /^As `berth (\w+)`, with the same options\.$/m.exec(own);
      const text = same === null ? own : section(`### berth ${same[1]}`);
      for (const { flags } of leaf.options) {
        if (!everywhere.has(flags)) assertHas(`\`${flags}\``, text, `${name} `);
      }
    }
  }
});

test('the manual page has every word of atomic that berth answers', () => {
  for (const [words, instead] of Object.entries(ATOMIC_SPELLINGS))
    assertHas(`| \`${words}\` | ${instead} |`);
});

test('the manual page has every error code with its status', () => {
  for (const [code, { exitStatus, meaning }] of Object.entries(catalogue)) {
    assertHas(`| ${code} | ${exitStatus} | ${meaning} |`);
  }
});

test('the manual page of berth-runtime has every command with every option', async () => {
  const text = readFileSync(
    new URL('../../../../packaging/man/berth-runtime.8.md', import.meta.url),
    'utf8',
  );
  const rows = text.split('\n').filter((line) => line.startsWith('| `'));
  const taken = /`--no-subreaper`, .* are taken for callers of runc/.exec(text)?.[0] ?? '';
  for (const name of COMMAND_NAMES) {
    let help = '';
    const print = (line: string): void => void (help += line);
    const argv = ['node', 'berth-runtime', name, '--help'];
    const about = { argv, env: {}, cwd: '/', caller: () => undefined, version: () => '1', print };
    assert.equal(await runRuntime(about), 0);
    const [row = ''] = rows.filter((line) => line.split('|')[1]?.includes(`\`${name}\``));
    const also = name === 'run' ? (rows.find((line) => line.startsWith('| `create`')) ?? '') : '';
    for (const [flag] of help.matchAll(/(?<=^ +(?:-\w, )?)--?[\w-]+/gm))
      assert.ok(`${row}${also}${taken}`.includes(`\`${flag}\``), `${name} ${flag}`);
  }
});

test('the manual page has every status of the launcher', () => {
  for (const { status, name, meaning } of LAUNCHER_STATUSES)
    assertHas(`| ${status} | ${name} | ${meaning} |`);
});
