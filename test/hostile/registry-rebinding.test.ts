import assert from 'node:assert/strict';
import dns from 'node:dns';
import { createServer } from 'node:http';
import { syncBuiltinESMExports } from 'node:module';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { createSecureContext } from 'node:tls';

import type { AddressReach } from '../../src/registry/address-reach.js';
import { HttpClient } from '../../src/registry/http.js';
import { each } from '../support/each.js';

/*
 * Names are checked where the connection is made: a stranger's name server gives a public address to whoever looks first, and
 * one inside to whoever connects (DNS rebinding).
 */

const original = dns.lookup;
const addresses = new Map<string, readonly { address: string; family: number }[]>();

type Callback = (error: Error | null, found: unknown, family?: number) => void;

before(() => {
  const lookup = (hostname: string, ...rest: [unknown, Callback]): void => {
    const found = addresses.get(hostname);
    if (found !== undefined) rest[1](null, found);
    else Reflect.apply(original, dns, [hostname, ...rest]);
  };
  Object.assign(dns, { lookup });
  syncBuiltinESMExports();
});
after(() => {
  Object.assign(dns, { lookup: original });
  syncBuiltinESMExports();
});

each(
  'R20 a name of a stranger that leads inside is not connected to:',
  [
    { name: 'loopback', found: ['127.0.0.1'] },
    { name: 'loopback in IPv6 clothes', found: ['::ffff:127.0.0.1'] },
    { name: 'the metadata of a cloud', found: ['169.254.169.254'] },
    { name: 'a private network', found: ['10.0.0.1', '192.168.0.1'] },
  ],
  async ({ found }) => {
    addresses.set(
      'inside.example',
      found.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    );
    await using client = new HttpClient({ connectMs: 30_000, headersMs: 30_000, idleMs: 30_000 });
    await assert.rejects(ask(client, 'http://inside.example:1/', 'public'), {
      name: 'HttpFailure',
      kind: 'address',
    });
  },
);

test('R20 control: without the check the name is connected to', async () => {
  const server = createServer((_, response) => response.end('secret of the host'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  addresses.set('inside.example', [{ address: '127.0.0.1', family: 4 }]);
  await using client = new HttpClient({ connectMs: 30_000, headersMs: 30_000, idleMs: 30_000 });
  const url = `http://inside.example:${port}/`;
  assert.equal((await ask(client, url, undefined)).status, 200);
  await assert.rejects(ask(client, url, 'public'), { kind: 'address' });
  // the registry itself is on this host: then it may send there
  assert.equal((await ask(client, url, 'loopback')).status, 200);
  server.closeAllConnections();
  server.close();
});

async function ask(
  client: HttpClient,
  url: string,
  reach: AddressReach | undefined,
): Promise<{ readonly status: number }> {
  const response = await client.send({
    method: 'GET',
    url: new URL(url),
    headers: {},
    tls: { context: () => Promise.resolve(createSecureContext()), verify: true },
    reach,
    signal: new AbortController().signal,
  });
  await response.body.discard();
  return response;
}
