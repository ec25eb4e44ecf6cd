import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { suite, test } from 'node:test';

import { listTags } from '../../src/registry/list-tags.js';
import { putManifest } from '../../src/registry/put-manifest.js';
import { pushBlob } from '../../src/registry/push-blob.js';
import { RegistryClient } from '../../src/registry/registry-client.js';
import { parseDigest, type Digest } from '../../src/oci/digest.js';
import { verifyContent } from '../../src/oci/verify-content.js';
import { listReferrers } from '../../src/registry/list-referrers.js';
import { assertFails } from '../support/assert-fails.js';
import { askHttp } from '../support/ask-http.js';
import { FakeRegistry, type FakeRegistryOptions } from '../support/fake-registry.js';
import { answer, forPath, only } from '../support/misbehaviours.js';
import { quickRetries, quickTimeouts } from '../support/pull-from.js';
import { pushManifest } from '../support/push-image.js';
import { naiveFetch } from '../support/served-layer.js';

const content = Buffer.alloc(300_000, 'content of a blob ');
const digest = parseDigest(`sha256:${createHash('sha256').update(content).digest('hex')}`);
const blob = { digest, size: content.length };
const { signal } = new AbortController();

/** A registry and a session with its repository `a`. */
async function withRegistry(
  use: (given: {
    readonly registry: FakeRegistry;
    readonly session: Awaited<ReturnType<RegistryClient['session']>>;
  }) => Promise<void>,
  options: FakeRegistryOptions = {},
): Promise<void> {
  await using registry = await FakeRegistry.start(options);
  await using client = new RegistryClient({
    certDirs: [],
    retries: quickRetries,
    timeouts: quickTimeouts,
    findCredentials: () =>
      Promise.resolve({ kind: 'password', username: 'user', password: 'secret-password' }),
  });
  const session = client.session(
    {
      registry: registry.host,
      apiHost: registry.host,
      repository: 'a',
      schemes: ['http'],
      verifyTls: true,
    },
    { push: true, mountFrom: [] },
  );
  await use({ registry, session });
}

// eslint-disable-next-line @typescript-eslint/require-await -- the shape of a flow, of what is there already
async function* flow(): AsyncGenerator<Uint8Array, void, undefined> {
  for (let start = 0; start < content.length; start += 10_000) {
    yield content.subarray(start, start + 10_000);
  }
}

const isUpload =
  (method: string) =>
  (request: IncomingMessage): boolean =>
    request.method === method && request.url?.includes('/blobs/uploads/') === true;

async function assertKept(registry: FakeRegistry, kept: Digest = digest): Promise<void> {
  const { status } = await askHttp(`${registry.origin}/v2/a/blobs/${kept}`, { method: 'HEAD' });
  assert.equal(status, 200, 'the blob did not arrive');
}

const manifest = Buffer.from('{"schemaVersion":2}');
const outgoing = {
  bytes: manifest,
  mediaType: 'application/vnd.oci.image.manifest.v1+json',
  digest: parseDigest(`sha256:${createHash('sha256').update(manifest).digest('hex')}`),
};
const isManifest = ({ method, url }: IncomingMessage): boolean =>
  method === 'PUT' && url?.includes('/manifests/') === true;

// As docker-registry does while somebody else pushes the same blobs.
const NOT_FOUND_YET = answer(
  400,
  { 'content-type': 'application/json' },
  '{"errors":[{"code":"DIGEST_INVALID"},{"code":"MANIFEST_BLOB_UNKNOWN"}]}',
);

suite('a manifest is pushed', () => {
  const put = (session: Parameters<typeof putManifest>[0]): Promise<unknown> =>
    putManifest(session, outgoing, { reference: 'tag', doing: 'cannot push it', signal });

  test('to a registry that does not find its blobs at once', () =>
    withRegistry(async ({ registry, session }) => {
      registry.interfere(only(isManifest, NOT_FOUND_YET, 3));
      await put(session);
      const kept = await askHttp(`${registry.origin}/v2/a/manifests/tag`, { method: 'HEAD' });
      assert.equal(kept.status, 200);
    }));

  test('and given up where they are not found, or something else is wrong', () =>
    withRegistry(async ({ registry, session }) => {
      registry.interfere(only(isManifest, NOT_FOUND_YET));
      await assertFails('REGISTRY_PROTOCOL', () => put(session));
      assert.equal(registry.seen.filter(({ method }) => method === 'PUT').length, 4);
      registry.interfere(only(isManifest, answer(400, {}, '{"errors":[{"code":"TAG_INVALID"}]}')));
      await assertFails('REGISTRY_PROTOCOL', () => put(session));
      assert.equal(registry.seen.filter(({ method }) => method === 'PUT').length, 5);
    }));
});

suite('a blob is pushed', () => {
  test('at once', () =>
    withRegistry(async ({ registry, session }) => {
      await pushBlob(session, blob, { signal, open: flow });
      await assertKept(registry);
      assert.equal(registry.seen.filter(({ method }) => method === 'PATCH').length, 0);
    }));

  test('in pieces', () =>
    withRegistry(async ({ registry, session }) => {
      await pushBlob(session, blob, { signal, open: flow, chunkBytes: 70_000 });
      await assertKept(registry);
      assert.equal(registry.seen.filter(({ method }) => method === 'PATCH').length, 5);
    }));

  test('in pieces where the registry says that it is too large', () =>
    withRegistry(async ({ registry, session }) => {
      registry.interfere(only(isUpload('PUT'), answer(413, {}, 'too large'), 1));
      await pushBlob(session, blob, { signal, open: flow });
      await assertKept(registry);
    }));

  test('R42 again after a registry broke off or was busy', () =>
    withRegistry(async ({ registry, session }) => {
      registry.interfere(only(isUpload('POST'), answer(503, {}), 1));
      registry.interfere(
        only(
          isUpload('PUT'),
          (_request, response) => {
            response.socket?.destroy();
            return true;
          },
          1,
        ),
      );
      await pushBlob(session, blob, { signal, open: flow });
      await assertKept(registry);
    }));

  test('and not at all where its content is not what was promised', () =>
    withRegistry(async ({ registry, session }) => {
      const other = parseDigest(`sha256:${'0'.repeat(64)}`);
      const wrong = { digest: other, size: content.length };
      await assertFails('CONTENT_MISMATCH', () =>
        pushBlob(session, wrong, { signal, open: () => verifyContent(flow(), wrong) }),
      );
      const begun = registry.seen.filter(({ method }) => method === 'POST').length;
      assert.equal(begun, 1, 'what is wrong at the source was tried again');
    }));
});

test('R13 R15 an upload that goes to another host goes there without credentials', async () => {
  await using stranger = await FakeRegistry.start();
  await withRegistry(
    async ({ registry, session }) => {
      const elsewhere = `${stranger.origin}/v2/a/blobs/uploads/place`;
      registry.interfere((request, response) => {
        if (request.headers.authorization === undefined || !isUpload('POST')(request)) return false;
        response.writeHead(202, { location: elsewhere, 'content-length': '0' }).end();
        return true;
      });
      await assertFails('REGISTRY_NOT_FOUND', () =>
        pushBlob(session, blob, { signal, open: flow }),
      );
      assert.ok(stranger.seen.length > 0, 'this case proves nothing');
      for (const { headers } of stranger.seen) {
        assert.equal(headers.authorization, undefined, 'credentials went to a stranger');
      }
      assert.ok(registry.seen.some(({ headers }) => headers.authorization !== undefined));
    },
    { login: 'basic', accounts: { user: 'secret-password' } },
  );
});

test('R13 R52 control: a client that goes where it is told shows its credentials there', async () => {
  await using stranger = await FakeRegistry.start();
  await using registry = await FakeRegistry.start();
  const location = `${stranger.origin}/v2/a/blobs/uploads/place`;
  registry.interfere(only(isUpload('POST'), answer(202, { location, 'content-length': '0' })));
  const headers = { authorization: 'Basic secret' };
  const url = `${registry.origin}/v2/a/blobs/uploads/`;
  const begun = await askHttp(url, { method: 'POST', headers });
  await askHttp(begun.headers.location ?? '', { method: 'PUT', headers });
  assert.equal(stranger.seen[0]?.headers.authorization, 'Basic secret');
});

test('R17 R20 an upload is not sent to what is no registry', () =>
  withRegistry(async ({ registry, session }) => {
    for (const location of ['file:///etc/shadow', 'ftp://host/x', 'http://u:p@host/x', 'http://']) {
      registry.interfere(
        only(isUpload('POST'), answer(202, { location, 'content-length': '0' }), 1),
      );
      await assertFails('REGISTRY_REDIRECT', () => pushBlob(session, blob, { signal, open: flow }));
    }
  }));

test('R16 an upload is not redirected', () =>
  withRegistry(async ({ registry, session }) => {
    const location = `${registry.origin}/v2/a/blobs/uploads/other`;
    registry.interfere(only(isUpload('PUT'), answer(307, { location, 'content-length': '0' }), 1));
    await assertFails('REGISTRY_PROTOCOL', () => pushBlob(session, blob, { signal, open: flow }));
  }));

test('R03 a registry that wants pieces of any size is refused', () =>
  withRegistry(async ({ registry, session }) => {
    const headers = {
      location: '/v2/a/blobs/uploads/x',
      'oci-chunk-min-length': '99999999999',
      'content-length': '0',
    };
    registry.interfere(only(isUpload('POST'), answer(202, headers), 1));
    await assertFails('REGISTRY_PROTOCOL', () =>
      pushBlob(session, blob, { signal, open: flow, chunkBytes: 10_000 }),
    );
  }));

const json = { 'content-type': 'application/json' };

suite('the list of tags', () => {
  test('goes on from page to page', () =>
    withRegistry(async ({ registry, session }) => {
      const pages = [
        { tags: ['one', 'two'], link: '</v2/a/tags/list?last=two>; rel="next"' },
        { tags: ['three'], link: undefined },
      ];
      registry.interfere((request, response) => {
        const page = pages[request.url?.includes('last=') === true ? 1 : 0];
        const link = page?.link === undefined ? {} : { link: page.link };
        response.writeHead(200, { ...json, ...link });
        response.end(JSON.stringify({ name: 'a', tags: page?.tags }));
        return true;
      });
      assert.deepEqual(await listTags(session, signal), ['one', 'two', 'three']);
    }));

  test('R52 does not go on at another host, nor from there to here', async () => {
    await using stranger = await FakeRegistry.start();
    await withRegistry(async ({ registry, session }) => {
      const link = `<${stranger.origin}/v2/a/tags/list>; rel="next"`;
      registry.interfere(only(forPath('tags'), answer(200, { ...json, link }, '{"tags":["x"]}')));
      await assertFails('REGISTRY_REDIRECT', () => listTags(session, signal));
      assert.equal(stranger.seen.length, 0, 'a stranger was asked');
    });
  });

  test('R52 does not go in circles, nor on for ever', () =>
    withRegistry(async ({ registry, session }) => {
      const link = '</v2/a/tags/list?n=1000&last=x>; rel="next"';
      registry.interfere(only(forPath('tags'), answer(200, { ...json, link }, '{"tags":["x"]}')));
      await assertFails('REGISTRY_PROTOCOL', () => listTags(session, signal));
      let page = 0;
      registry.interfere((_request, response) => {
        const next = `</v2/a/tags/list?last=${page++}>; rel="next"`;
        response.writeHead(200, { ...json, link: next }).end('{"tags":["x"]}');
        return true;
      });
      await assertFails('LIMIT_EXCEEDED', () => listTags(session, signal));
      assert.ok(page <= 1001, 'more pages were asked for than the limit says');
    }));

  test('R53 with a tag that is none is refused', () =>
    withRegistry(async ({ registry, session }) => {
      for (const tags of ['["../../etc/cron.d/x"]', '["a\\u001b[2J"]', '[1]', '{"a":1}']) {
        registry.interfere(only(forPath('tags'), answer(200, json, `{"tags":${tags}}`), 1));
        await assertFails('REGISTRY_PROTOCOL', () => listTags(session, signal));
      }
    }));

  test('R05 of any size is read to its limit', () =>
    withRegistry(async ({ registry, session }) => {
      const body = Buffer.alloc(20 << 20, ' ');
      registry.interfere(only(forPath('tags'), answer(200, json, body)));
      await assertFails('LIMIT_EXCEEDED', () => listTags(session, signal));
    }));
});

suite('the list of referrers', () => {
  const subject = parseDigest(`sha256:${'1'.repeat(64)}`);
  const index = (count: number) =>
    JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.index.v1+json',
      manifests: Array.from({ length: count }, (_, position) => ({
        mediaType: 'application/vnd.oci.image.manifest.v1+json',
        artifactType: 'application/x.signature',
        digest: `sha256:${String(position).padStart(64, '0')}`,
        size: 10,
      })),
    });

  test('is that of the interface', () =>
    withRegistry(async ({ registry, session }) => {
      registry.interfere(only(forPath('referrers'), answer(200, json, index(2))));
      assert.equal((await listReferrers(session, subject, signal)).length, 2);
    }));

  test('is that of the tag where the registry has no interface', () =>
    withRegistry(async ({ registry, session }) => {
      registry.interfere(only(forPath('referrers'), answer(404, json, '{}')));
      assert.deepEqual(await listReferrers(session, subject, signal), []);
      const target = { origin: registry.origin, repository: 'a' };
      await pushManifest(target, subject.replace(':', '-'), Buffer.from(index(0)));
      assert.deepEqual(await listReferrers(session, subject, signal), []);
      registry.interfere(only(forPath('/manifests/sha256-'), answer(200, json, index(3))));
      assert.equal((await listReferrers(session, subject, signal)).length, 3);
    }));

  test('R08 of a hundred thousand is refused', () =>
    withRegistry(async ({ registry, session }) => {
      registry.interfere(only(forPath('referrers'), answer(200, json, index(2000))));
      await assertFails('LIMIT_EXCEEDED', () => listReferrers(session, subject, signal));
      const body = Buffer.alloc(5 << 20, ' ');
      registry.interfere(only(forPath('referrers'), answer(200, json, body)));
      await assertFails('LIMIT_EXCEEDED', () => listReferrers(session, subject, signal));
    }));

  test('R08 control: a naive client holds all of them, and asks for one after the other', () =>
    withRegistry(async ({ registry, session }) => {
      registry.interfere(only(forPath('referrers'), answer(200, json, index(100_000))));
      registry.interfere(only(forPath('/manifests/'), answer(200, json, '{}')));
      const list = await naiveFetch(`${registry.origin}/v2/a/referrers/${subject}`);
      const { manifests } = JSON.parse(list.toString()) as { manifests: { digest: string }[] };
      assert.equal(manifests.length, 100_000);
      const bound = 200;
      for (const entry of manifests.slice(0, bound)) {
        await naiveFetch(`${registry.origin}/v2/a/manifests/${entry.digest}`);
      }
      const asked = () => registry.seen.filter(({ url }) => url.includes('/manifests/')).length;
      assert.equal(asked(), bound, 'it stopped by itself');
      await assertFails('LIMIT_EXCEEDED', () => listReferrers(session, subject, signal));
      assert.equal(asked(), bound, 'berth asked for what it refused');
    }));
});
