import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';

import { BerthInTree } from '../support/berth-in-tree.js';
import { each } from '../support/each.js';
import { FakeRegistry, type Interference } from '../support/fake-registry.js';
import { silent } from '../support/misbehaviours.js';

interface Row {
  readonly name: string;
  /** Lines of [network]. */
  readonly conf: string;
  readonly act: Interference;
  readonly requests: number;
  /** In seconds; berth's own patience would take minutes. */
  readonly endsWithin: number;
}

const reset: Interference = (request) => {
  request.socket.destroy();
  return true;
};

each<Row>(
  'berth.conf says how long and how often a registry is waited for:',
  [
    {
      name: 'not again after a connection is cut',
      conf: 'retries = 0',
      act: reset,
      requests: 1,
      endsWithin: 10,
    },
    { name: 'once more', conf: 'retries = 1', act: reset, requests: 2, endsWithin: 10 },
    {
      name: 'a second for each piece, and two for an answer to begin',
      conf: 'timeout = "1s"\nretries = 0',
      act: silent,
      requests: 1,
      endsWithin: 15,
    },
  ],
  async ({ conf, act, requests, endsWithin }) => {
    using tree = new BerthInTree();
    await using registry = await FakeRegistry.start();
    mkdirSync(`${tree.path}/etc/berth`, { recursive: true });
    writeFileSync(`${tree.path}/etc/berth/berth.conf`, `[network]\n${conf}\n`);
    let seen = 0;
    registry.interfere((request, response) => {
      seen += 1;
      return act(request, response);
    });
    const begun = performance.now();
    const { status, stderr } = await tree.run('pull', `http:${registry.host}/web:latest`);
    assert.equal(status, 75, stderr);
    assert.equal(seen, requests, stderr);
    assert.ok(performance.now() - begun < endsWithin * 1000);
  },
);
