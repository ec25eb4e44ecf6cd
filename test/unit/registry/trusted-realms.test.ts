import assert from 'node:assert/strict';
import { test } from 'node:test';

import { readBerthConf } from '../../../src/config/berth-conf.js';
import { readTrustedRealms } from '../../../src/registry/trusted-realms.js';

function realms(entries: unknown): { problems: string[]; found: unknown } {
  const problems: string[] = [];
  const conf = readBerthConf(
    { network: { 'trusted-realm-hosts': entries } },
    {
      file: 'berth.conf',
      env: {},
      onProblem: ({ message }) => problems.push(message),
    },
  );
  const found = [...readTrustedRealms(conf.network['trusted-realm-hosts'])];
  return { problems, found };
}

test('readTrustedRealms() gives the hosts by registry', () => {
  assert.deepEqual(
    realms([
      'registry.example:5000=login.example.net',
      'A.example=b.example',
      'a.example=c.example',
    ]),
    {
      problems: [],
      found: [
        ['registry.example:5000', ['login.example.net']],
        ['a.example', ['b.example', 'c.example']],
      ],
    },
  );
  assert.deepEqual(realms([]), { problems: [], found: [] });
});

test('R21 berth.conf trusts nobody by a line that is not REGISTRY=HOST', () => {
  for (const entry of [
    'registry.example',
    '=login.example',
    'a.example=',
    '*=*',
    'a=b=c',
    'a.example=https://b',
  ])
    assert.deepEqual([realms([entry]).problems.length, realms([entry]).found], [1, []], entry);
});
