import assert from 'node:assert/strict';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { test } from 'node:test';
import { constants, gunzipSync, gzipSync, inflateRawSync } from 'node:zlib';

import { each } from '../support/each.js';
import { FakeRegistry, type Interference } from '../support/fake-registry.js';
import { answer, redirectTo, webPage } from '../support/misbehaviours.js';
import { sha256 } from '../support/push-image.js';
import { buildTar } from '../support/tar-builder.js';

/*
 * Controls for the rows of registries: a client that does what the answer says, before the servers that berth is put before in the
 * other files of this folder. Each has to go wrong, or the case there proves nothing. Those that stand beside what berth does with
 * the same server are in registry-naive-transfer.test.ts, registry-naive-trust.test.ts and in the files of their rows.
 */

interface Naive {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly hops: number;
}

/** Follows everything with everything, reads to the end, and asks nothing. Stops where a real one would not, for the test's sake. */
async function naiveGet(
  url: string,
  headers: Readonly<Record<string, string>> = {},
  hops = 0,
): Promise<Naive> {
  const got = await new Promise<Omit<Naive, 'hops'>>((resolve, reject) => {
    const request = httpRequest(url, { headers, agent: false });
    request.once('error', reject);
    request.once('response', (response) => {
      const parts: Buffer[] = [];
      const end = (): void => {
        const status = response.statusCode ?? 0;
        resolve({ status, headers: response.headers, body: Buffer.concat(parts) });
      };
      response.on('data', (part: Buffer) => parts.push(part));
      // A connection that breaks is an end as well.
      response.once('error', end).once('end', end);
    });
    request.end();
  });
  const { location } = got.headers;
  if (location === undefined || hops > 30) return { ...got, hops };
  return naiveGet(new URL(location, url).href, headers, hops + 1);
}

const tar = buildTar([{ path: 'file', content: 'x'.repeat(1000) }]);
const blob = gzipSync(tar);
const other = Buffer.from('{"schemaVersion":2,"layers":[]}');

interface Row {
  readonly name: string;
  readonly misbehave: Interference;
  readonly goneWrong: (got: Naive) => boolean;
}

// prettier-ignore
const ROWS: readonly Row[] = [
  {
    name: 'R02 takes the beginning of a blob for all of it',
    misbehave: (_request, response) => { response.write(blob.subarray(0, 20), () => response.destroy()); return true; },
    goneWrong: ({ body, status }) => status === 200 && body.length < blob.length,
  },
  {
    name: 'R03 reads on behind the promised size',
    misbehave: answer(200, {}, Buffer.concat([blob, Buffer.alloc(1_000_000)])),
    goneWrong: ({ body }) => body.length > blob.length,
  },
  {
    name: 'R05 R06 R07 holds whatever comes in memory',
    misbehave: answer(200, {}, Buffer.alloc(8_000_000)),
    goneWrong: ({ body }) => body.length > 4 * 1024 * 1024,
  },
  {
    name: 'R10 R12 believes the digest that the answer calls itself by',
    misbehave: answer(200, { 'docker-content-digest': sha256(blob) }, other),
    goneWrong: ({ headers, body }) => headers['docker-content-digest'] === sha256(blob) && sha256(body) !== sha256(blob),
  },
  {
    name: 'R18 follows a circle for as long as it is let',
    misbehave: redirectTo('/v2/'),
    goneWrong: ({ hops }) => hops > 30,
  },
  {
    name: 'R26 R27 hashes other bytes than were sent',
    misbehave: answer(200, { 'content-encoding': 'gzip' }, gzipSync(blob)),
    goneWrong: ({ body }) => sha256(gunzipSync(body)) === sha256(blob) && sha256(body) !== sha256(blob),
  },
  {
    name: 'R45 appends the words of a refusal',
    misbehave: answer(416, {}, 'nothing there'),
    goneWrong: ({ body }) => sha256(Buffer.concat([blob, body])) !== sha256(blob),
  },
  {
    name: 'R50 takes a web page for what it asked for',
    misbehave: webPage,
    goneWrong: ({ status, body }) => status === 200 && body.toString().includes('<title>'),
  },
];

each('control: a naive client', ROWS, async ({ misbehave, goneWrong }) => {
  await using registry = await FakeRegistry.start();
  registry.interfere(misbehave);
  assert.ok(goneWrong(await naiveGet(`${registry.origin}/v2/`)));
});

test('R11 control: who asks for a tag twice looks at one image and takes another', async () => {
  await using registry = await FakeRegistry.start();
  let asked = 0;
  registry.interfere((request, response) =>
    answer(200, {}, asked++ === 0 ? blob : other)(request, response),
  );
  const looked = sha256((await naiveGet(`${registry.origin}/v2/x/manifests/1`)).body);
  const taken = sha256((await naiveGet(`${registry.origin}/v2/x/manifests/1`)).body);
  assert.notEqual(taken, looked);
});

test('R13 R15 R16 R17 R21 R24 control: who sends along what it has shows it to whoever is named', async () => {
  await using registry = await FakeRegistry.start();
  await using stranger = await FakeRegistry.start();
  registry.interfere(redirectTo(`${stranger.origin}/v2/`));
  const secrets = { authorization: 'Basic c2VjcmV0', 'private-token': 'secret' };
  await naiveGet(`${registry.origin}/v2/`, secrets);
  const [seen] = stranger.seen;
  assert.deepEqual(
    [seen?.headers.authorization, seen?.headers['private-token']],
    Object.values(secrets),
  );
});

test('R25 control: who answers every 401 never ends', async () => {
  await using registry = await FakeRegistry.start();
  registry.interfere(answer(401, { 'www-authenticate': 'Basic realm="x"' }));
  let rounds = 0;
  while (rounds < 20 && (await naiveGet(`${registry.origin}/v2/`)).status === 401) rounds++;
  assert.equal(rounds, 20);
});

test('R38 control: who waits without a limit waits', async () => {
  await using registry = await FakeRegistry.start();
  registry.interfere(() => true);
  const asked = naiveGet(`${registry.origin}/v2/`).then(
    () => 'answered',
    () => 'broken',
  );
  assert.equal(await Promise.race([asked, delay(300, 'waiting')]), 'waiting');
});

test('R40 R41 control: who waits for as long as it is told hammers the server in the end', async () => {
  process.once('warning', () => undefined); // Node says so, too
  const started = performance.now();
  await delay(Number('1000000000000000000') * 1000);
  assert.ok(performance.now() - started < 20_000, 'it waited');
});

test('R33 R35 control: a lenient decoder takes half a layer, and more than one', () => {
  const half = gunzipSync(blob.subarray(0, -10), { finishFlush: constants.Z_SYNC_FLUSH });
  assert.ok(half.length > 0);
  // Behind the ten bytes of its header (RFC 1952, section 2.3), to the end of the stream and no further.
  const longer = Buffer.concat([blob, Buffer.from('junk')]);
  assert.deepEqual(inflateRawSync(longer.subarray(10)), tar);
});
