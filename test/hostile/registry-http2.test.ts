import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';

import { assertFails } from '../support/assert-fails.js';
import { TestAuthority, type Certificate } from '../support/certificates.js';
import { each } from '../support/each.js';
import { FakeRegistry } from '../support/fake-registry.js';
import { Http2Front, type StreamInterference } from '../support/http2-front.js';
import { Puller, type PullerOptions, quickTimeouts } from '../support/pull-from.js';
import { pushImage, sha256 } from '../support/push-image.js';
import { TempDir } from '../support/temp-dir.js';
import { buildTar } from '../support/tar-builder.js';

const layer = gzipSync(buildTar([{ path: 'file', content: randomBytes(1_500_000) }]), { level: 0 });
const path = sha256(layer);
const folder = new TempDir();
let authority: TestAuthority;
let certificate: Certificate;
let registry: FakeRegistry;

before(async () => {
  authority = await TestAuthority.create(folder.path);
  certificate = await authority.issue(['127.0.0.1']);
  registry = await FakeRegistry.start();
  await pushImage({ origin: registry.origin, repository: 'etcd' }, '1', {
    architecture: 'amd64',
    layers: [{ content: layer }],
  });
});
after(async () => {
  await registry[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

function trusting(front: Http2Front): PullerOptions {
  const certsD = join(folder.path, 'certs.d');
  mkdirSync(join(certsD, front.host), { recursive: true });
  writeFileSync(join(certsD, front.host, 'ca.crt'), authority.cert);
  return { certDirs: [certsD] };
}

const isBlob = (headers: IncomingHttpHeaders): boolean => headers[':path']?.includes(path) === true;

/** Sends so many bytes of the blob, and then does something bad, the first `times` times. */
function breakOffAfter(
  bytes: number,
  bad: (stream: ServerHttp2Stream) => void,
  times = 1,
): StreamInterference {
  let left = times;
  return (stream, headers) => {
    if (!isBlob(headers) || left-- <= 0) return false;
    stream.respond({ ':status': 200, 'content-length': String(layer.length) });
    stream.write(layer.subarray(0, bytes), () => {
      bad(stream);
    });
    return true;
  };
}

test('HTTP/2 is spoken where the registry has it', async () => {
  await using front = await Http2Front.start(registry, certificate);
  await using puller = new Puller(trusting(front));
  const image = await puller.pull(`${front.host}/etcd:1`);
  assert.equal(image.contentBytes, 1_500_000);
  assert.equal(front.seen.length, 3, 'manifest, configuration and layer came over HTTP/2');
});

each(
  'a long blob of a registry that has HTTP/2 comes',
  [
    { name: 'over HTTP/1.1, on a connection of its own', allowHTTP1: true, overHttp2: 2 },
    { name: 'over HTTP/2 where there is nothing else', allowHTTP1: false, overHttp2: 3 },
  ],
  async ({ allowHTTP1, overHttp2 }) => {
    const long = gzipSync(buildTar([{ path: 'file', content: randomBytes(5_000_000) }]), {
      level: 0,
    });
    await pushImage({ origin: registry.origin, repository: 'etcd' }, 'long', {
      architecture: 'amd64',
      layers: [{ content: long }],
    });
    await using front = await Http2Front.start(registry, certificate, { allowHTTP1 });
    await using puller = new Puller(trusting(front));
    const image = await puller.pull(`${front.host}/etcd:long`);
    assert.equal(image.contentBytes, 5_000_000);
    assert.equal(front.seen.length, overHttp2);
  },
);

each(
  'R42 over HTTP/2 a blob goes on where it broke off:',
  [
    {
      name: 'the stream was reset',
      bad: (stream: ServerHttp2Stream) => {
        stream.close(constants.NGHTTP2_INTERNAL_ERROR);
      },
    },
    {
      name: 'the stream was refused',
      bad: (stream: ServerHttp2Stream) => {
        stream.close(constants.NGHTTP2_REFUSED_STREAM);
      },
    },
    {
      name: 'the stream was cancelled',
      bad: (stream: ServerHttp2Stream) => {
        stream.close(constants.NGHTTP2_CANCEL);
      },
    },
    {
      name: 'the stream ended early',
      bad: (stream: ServerHttp2Stream) => {
        stream.end();
      },
    },
    {
      name: 'GOAWAY, and the connection is closed',
      bad: (stream: ServerHttp2Stream) => {
        stream.session?.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM);
        setImmediate(() => stream.session?.destroy());
      },
    },
    {
      name: 'the connection is lost',
      bad: (stream: ServerHttp2Stream) => {
        stream.session?.destroy();
      },
    },
  ],
  async ({ bad }) => {
    await using front = await Http2Front.start(registry, certificate);
    front.interference = breakOffAfter(700_000, bad);
    await using puller = new Puller(trusting(front));
    registry.seen.length = 0;
    const image = await puller.pull(`${front.host}/etcd:1`);
    assert.equal(image.contentBytes, 1_500_000);
    const [range = ''] = registry.blobRequests
      .filter(({ url }) => url.includes(path))
      .map(({ headers }) => headers.range);
    const at = Number(/^bytes=(\d+)-/.exec(range)?.[1] ?? 0);
    assert.ok(at <= 700_000, range);
  },
);

test('R42 over HTTP/2 a registry that breaks off for ever is left', async () => {
  await using front = await Http2Front.start(registry, certificate);
  front.interference = breakOffAfter(
    10,
    (stream) => {
      stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    },
    Infinity,
  );
  await using puller = new Puller(trusting(front));
  const error = await assertFails('REGISTRY_TEMPORARY', () => puller.pull(`${front.host}/etcd:1`));
  assert.match(String(error.cause), /broke|closed/);
});

each(
  'over HTTP/2, too, a blob is refused:',
  [
    {
      name: 'R01 other bytes',
      body: randomBytes(layer.length),
      code: 'CONTENT_MISMATCH',
    },
    {
      name: 'R03 more bytes',
      body: Buffer.concat([layer, Buffer.alloc(500_000)]),
      code: 'CONTENT_MISMATCH',
    },
  ] as const,
  async ({ body, code }) => {
    await using front = await Http2Front.start(registry, certificate);
    front.interference = (stream, headers) => {
      if (!isBlob(headers)) return false;
      stream.respond({ ':status': 200 });
      stream.end(body);
      return true;
    };
    await using puller = new Puller(trusting(front));
    await assertFails(code, () => puller.pull(`${front.host}/etcd:1`));
  },
);

test('R38 over HTTP/2 headers that never come are not waited for', async () => {
  await using front = await Http2Front.start(registry, certificate);
  front.interference = (_, headers) => isBlob(headers);
  await using puller = new Puller({ ...trusting(front), timeouts: quickTimeouts });
  await assertFails('REGISTRY_UNREACHABLE', () => puller.pull(`${front.host}/etcd:1`));
});
