import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createGunzip, gunzipSync, gzipSync } from 'node:zlib';

import type { ErrorCode } from '../../src/errors/catalogue.js';
import { assertFails } from '../support/assert-fails.js';
import { each } from '../support/each.js';
import { FakeRegistry } from '../support/fake-registry.js';
import { answer, cutAfter, only, rawAnswer } from '../support/misbehaviours.js';
import { naiveBegin, naiveRead, type Framing } from '../support/naive-client.js';
import { Puller } from '../support/pull-from.js';
import { pushImage, sha256, type LayerToPush } from '../support/push-image.js';
import { blobPath, content, layer, naiveFetch, serveLayer } from '../support/served-layer.js';
import { buildTar } from '../support/tar-builder.js';
import { zstd } from '../support/zstd-frames.js';

/*
 * A naive client and berth before one and the same server: of what comes on the way, and of how it is packed. The naive one has to
 * go wrong, or what berth does proves nothing.
 */

const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n';

interface Framed {
  readonly name: string;
  readonly text: string;
  /** What readers that go by these take the body for. */
  readonly taken: Partial<Record<Framing, string>>;
  readonly code: ErrorCode;
}

// prettier-ignore
const FRAMED: readonly Framed[] = [
  {
    name: 'R47 a chunk size with letters behind it',
    text: `${CHUNKED}\r\n5xyz\r\nhello\r\n0\r\n\r\n`,
    taken: { chunks: 'hello' },
    code: 'REGISTRY_PROTOCOL',
  },
  {
    name: 'R47 no last chunk',
    text: `${CHUNKED}\r\n5\r\nhello\r\n`,
    taken: { chunks: 'hello' },
    code: 'REGISTRY_TEMPORARY',
  },
  {
    name: 'R48 two lengths are two bodies',
    text: 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef',
    taken: { 'first length': 'abcde', 'last length': 'abcdef' },
    code: 'REGISTRY_PROTOCOL',
  },
  {
    name: 'R48 a length and chunks are two bodies',
    text: `${CHUNKED}Content-Length: 5\r\n\r\n3\r\nabc\r\n0\r\n\r\n`,
    taken: { 'first length': '3\r\nab', chunks: 'abc' },
    code: 'REGISTRY_PROTOCOL',
  },
];

each('control and defence', FRAMED, async ({ text, taken, code }) => {
  await using registry = await serveLayer(rawAnswer(text));
  for (const [framing, body] of Object.entries(taken)) {
    const url = `${registry.origin}/v2/etcd${blobPath}`;
    assert.equal(await naiveRead(url, framing as Framing), body);
  }
  await using puller = new Puller();
  await assertFails(code, () => puller.pull(`${registry.host}/etcd:1`));
  assert.deepEqual(await puller.store.listImages(), []);
});

test('R42 control and defence: who begins anew after each reset never ends', async () => {
  await using registry = await serveLayer(cutAfter(layer, 65_536));
  const tries = 20;
  let whole = 0;
  for (let number = 0; number < tries; number++) {
    await naiveFetch(`${registry.origin}/v2/etcd${blobPath}`).then(
      () => whole++,
      () => undefined,
    );
  }
  assert.equal(whole, 0, 'a naive client got there');
  registry.seen.length = 0;
  await using puller = new Puller();
  assert.equal((await puller.pull(`${registry.host}/etcd:1`)).contentBytes, content.length);
  assert.ok(registry.blobRequests.length < tries, 'berth asked as often');
});

test('R42 control and defence: who takes what comes takes the words of a failure for the blob', async () => {
  const words = 'no server is available';
  await using registry = await FakeRegistry.start();
  await pushImage({ origin: registry.origin, repository: 'etcd' }, '1', {
    architecture: 'amd64',
    layers: [{ content: layer }],
  });
  const isBlob = ({ url = '' }) => url.includes(blobPath);
  registry.interfere(only(isBlob, answer(503, {}, words), 3));
  const taken = await naiveFetch(`${registry.origin}/v2/etcd${blobPath}`);
  assert.equal(taken.toString(), words);
  await using puller = new Puller();
  assert.equal((await puller.pull(`${registry.host}/etcd:1`)).contentBytes, content.length);
});

test('R28 control and defence: who decodes what a redirect says besides its target never comes to the target', async () => {
  // Each member is a mebibyte of zeros; together they go on for as long as someone reads.
  const members = Buffer.concat(Array<Buffer>(64).fill(gzipSync(Buffer.alloc(1 << 20))));
  let sent = 0;
  await using registry = await serveLayer();
  registry.interfere(
    only(
      ({ url = '' }) => url.endsWith(blobPath),
      (_request, response) => {
        const location = `/v2/etcd${blobPath}?again`;
        response.writeHead(307, { location, 'content-encoding': 'gzip' });
        const more = () => {
          do sent += members.length;
          while (!response.destroyed && response.write(members));
        };
        response.on('drain', more);
        more();
        return true;
      },
    ),
  );
  const bound = 256 << 20;
  let decoded = 0;
  const redirect = await naiveBegin(`${registry.origin}/v2/etcd${blobPath}`);
  for await (const part of redirect.pipe(createGunzip())) {
    decoded += (part as Buffer).length;
    if (decoded > bound) break;
  }
  redirect.destroy();
  assert.ok(decoded > bound, 'a naive client came to the end of a redirect');
  sent = 0;
  await using puller = new Puller();
  assert.equal((await puller.pull(`${registry.host}/etcd:1`)).contentBytes, content.length);
  assert.ok(sent < 16 << 20, `${sent} bytes of a redirect were taken`);
});

const tar = buildTar([{ path: 'good', content: 'what the configuration promises' }]);
const evil = buildTar([{ path: 'evil', content: 'something else' }]);
const OCI = 'application/vnd.oci.image.layer.v1.tar';
const isGzip = (blob: Buffer): boolean => blob.subarray(0, 2).toString('hex') === '1f8b';

/** The first path of an archive, as one finds it who looks at nothing else. */
const firstPath = (archive: Buffer): string =>
  archive.subarray(0, 100).toString('latin1').replace(/\0.*$/s, '');

/** By what a naive client tells how a layer is packed. */
type Unpack = (mediaType: string, blob: Buffer) => Buffer | undefined;

const byName: Unpack = (mediaType, blob) =>
  mediaType.includes('gzip') ? gunzipSync(blob) : mediaType.includes('tar') ? blob : undefined;
const byMagic: Unpack = (_mediaType, blob) => (isGzip(blob) ? gunzipSync(blob) : blob);
/** Unpacks what it has a decoder for. */
const byMeans: Unpack = (mediaType, blob) =>
  /\.tar(\+gzip)?$/.test(mediaType) ? byMagic(mediaType, blob) : undefined;

/** Fetches an image and names what it would install, a path for each layer that it came through with. */
async function naiveInstall(registry: FakeRegistry, unpack: Unpack): Promise<readonly string[]> {
  const manifest = await naiveFetch(`${registry.origin}/v2/etcd/manifests/1`);
  const { layers } = JSON.parse(manifest.toString()) as {
    layers: readonly { mediaType: string; digest: string }[];
  };
  const paths: string[] = [];
  for (const { mediaType, digest } of layers) {
    const blob = await naiveFetch(`${registry.origin}/v2/etcd/blobs/${digest}`);
    const archive = unpack(mediaType, blob);
    if (archive !== undefined) paths.push(firstPath(archive));
  }
  return paths;
}

async function serveLayers(...layers: readonly LayerToPush[]): Promise<FakeRegistry> {
  const registry = await FakeRegistry.start();
  const target = { origin: registry.origin, repository: 'etcd' };
  await pushImage(target, '1', { architecture: 'amd64', layers });
  return registry;
}

each(
  'R36 control and defence: who unpacks by the name of a type',
  [
    { name: 'fails at a plain archive', content: tar, mediaType: `${OCI}+gzip`, fails: true },
    { name: 'fails at zstd', content: zstd(tar), mediaType: `${OCI}+gzip`, fails: true },
    { name: 'takes gzip for an archive', content: gzipSync(tar), mediaType: OCI, fails: false },
  ],
  async ({ content: blob, mediaType, fails }) => {
    await using registry = await serveLayers({ content: blob, mediaType, diffId: sha256(tar) });
    const naive = naiveInstall(registry, byName);
    if (fails) await assert.rejects(naive, /incorrect header check/);
    else assert.notDeepEqual(await naive, ['good']);
    await using puller = new Puller();
    const image = await puller.pull(`${registry.host}/etcd:1`);
    assert.equal(image.contentBytes, 'what the configuration promises'.length);
  },
);

each(
  'R36 M15 control and defence: who unpacks by magic and compares no diff id installs another archive',
  [
    { name: 'a plain one for gzip', content: evil, mediaType: `${OCI}+gzip` },
    { name: 'gzip for a plain one', content: gzipSync(evil), mediaType: OCI },
    { name: 'gzip for gzip', content: gzipSync(evil), mediaType: `${OCI}+gzip` },
  ],
  async ({ content: blob, mediaType }) => {
    await using registry = await serveLayers({ content: blob, mediaType, diffId: sha256(tar) });
    assert.deepEqual(await naiveInstall(registry, byMagic), ['evil']);
    await using puller = new Puller();
    await assertFails('CONTENT_MISMATCH', () => puller.pull(`${registry.host}/etcd:1`));
    assert.deepEqual(await puller.store.listImages(), []);
  },
);

each(
  'R37 control and defence: a layer of a type that nobody knows',
  [
    { name: 'a suffix, guessed', suffix: '+foo', content: evil, naive: byName },
    { name: 'an encrypted one, guessed', suffix: '+gzip+encrypted', naive: byName },
    { name: 'a suffix, passed over', suffix: '+foo', content: evil, naive: byMeans },
    { name: 'bzip2, passed over', suffix: '+bzip2', naive: byMeans },
    { name: 'an encrypted one, passed over', suffix: '+gzip+encrypted', naive: byMeans },
  ] as readonly { name: string; suffix: string; content?: Buffer; naive: Unpack }[],
  async ({ suffix, content: blob = gzipSync(evil), naive }) => {
    await using registry = await serveLayers(
      { content: tar },
      { content: blob, mediaType: `${OCI}${suffix}` },
    );
    const installed = await naiveInstall(registry, naive);
    // Half an image, or one whose second half is a guess.
    assert.deepEqual(installed, naive === byMeans ? ['good'] : ['good', 'evil']);
    await using puller = new Puller();
    await assertFails('MANIFEST_UNSUPPORTED', () => puller.pull(`${registry.host}/etcd:1`));
    assert.deepEqual(await puller.store.listImages(), []);
  },
);
