import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { parseToml } from '../../../src/base/toml.js';
import { readBerthConf } from '../../../src/config/berth-conf.js';
import { CONF_KEYS, type ConfKey } from '../../../src/config/conf-keys.js';

const read = (name: string): string =>
  readFileSync(new URL(`../../../../packaging/${name}`, import.meta.url), 'utf8');

/** The text below a heading, to the next one. */
function sectionOf(text: string, heading: string): string {
  const after = text.split(`\n${heading}\n`)[1];
  assert.ok(after !== undefined, `lacks ${heading}`);
  return after.split(/\n(?:#{2,3} |\[)/)[0] ?? '';
}

test('berth.conf(5) and the sample have every key, its default and its variable, and no other', () => {
  const page = read('man/berth.conf.5.md');
  const sample = read('berth.conf');
  for (const [section, keys] of Object.entries(CONF_KEYS)) {
    const told = sectionOf(page, `### [${section}]`);
    const shown = sectionOf(sample, `[${section}]`);
    const names = [...told.matchAll(/^- `([\w-]+)` \(/gm)].map(([, name]) => name);
    assert.deepEqual(names, Object.keys(keys), `keys of [${section}] in berth.conf(5)`);
    const examples = [...shown.matchAll(/^#([\w-]+) = /gm)].map(([, name]) => name);
    assert.deepEqual(examples, Object.keys(keys), `keys of [${section}] in packaging/berth.conf`);
    for (const [name, { otherwise, variable }] of Object.entries<ConfKey<unknown>>(keys)) {
      const entry = told.slice(told.indexOf(`- \`${name}\` (`)).split('\n- ')[0] ?? '';
      assert.match(entry, /^- `[\w-]+` \(default/);
      if (typeof otherwise === 'number' || typeof otherwise === 'boolean')
        assert.ok(entry.includes(`(default ${otherwise}`), entry);
      if (typeof otherwise === 'string')
        assert.ok(entry.includes(`(default "${otherwise}"`), entry);
      if (variable !== undefined) assert.ok(entry.includes(`\`${variable}\``), entry);
    }
  }
  const headings = [...page.matchAll(/^### \[([\w-]+)\]$/gm)].map(([, name]) => name);
  assert.deepEqual(headings, Object.keys(CONF_KEYS));
});

test('the sample says nothing as it is, and is right with every line of it in force', () => {
  const sample = read('berth.conf');
  const problems: string[] = [];
  const options = {
    file: 'packaging/berth.conf',
    env: {},
    onProblem: ({ message }: Error) => problems.push(message),
  };
  const nothing = readBerthConf(parseToml(sample, 'the sample'), options);
  assert.deepEqual(nothing, readBerthConf({}, options));
  const everything = readBerthConf(
    parseToml(sample.replaceAll(/^#(?=[\w-]+ = )/gm, ''), 'the sample'),
    options,
  );
  assert.deepEqual(problems, []);
  for (const [section, keys] of Object.entries(everything))
    for (const [name, value] of Object.entries(keys))
      assert.notEqual(value, undefined, `${section}.${name}`);
});
