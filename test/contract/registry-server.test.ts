import assert from 'node:assert/strict';
import { suite, test } from 'node:test';

import { askHttp, type HttpAnswer, type HttpQuestion } from '../support/ask-http.js';
import { FakeRegistry } from '../support/fake-registry.js';

// What the fake registry does beside the rules that registry-conformance.test.ts has for it.
suite('the fake registry', () => {
  test('lets in who has a token for the repository, and nobody else', async () => {
    await using registry = await FakeRegistry.start({
      login: 'bearer',
      accounts: { me: 'secret' },
    });
    const refused = await ask(registry, '/v2/a/tags/list');
    assert.equal(refused.status, 401);
    assert.match(
      refused.headers['www-authenticate'] ?? '',
      /^Bearer realm=".*\/token",service="fake registry",scope="repository:a:pull"$/,
    );
    const basic = (pair: string) => ({
      headers: { authorization: `Basic ${Buffer.from(pair).toString('base64')}` },
    });
    assert.equal((await ask(registry, '/token', basic('me:wrong'))).status, 401);
    const granted = await ask(registry, '/token?scope=repository:a:pull', basic('me:secret'));
    const { token } = JSON.parse(granted.body.toString()) as { token: string };
    const bearer = { headers: { authorization: `Bearer ${token}` } };
    assert.equal((await ask(registry, '/v2/a/tags/list', bearer)).status, 404);
    assert.equal((await ask(registry, '/v2/b/tags/list', bearer)).status, 401);
    const upload = await ask(registry, '/v2/a/blobs/uploads/', { ...bearer, method: 'POST' });
    assert.equal(upload.status, 401);
  });
});

function ask(
  registry: { readonly origin: string },
  path: string,
  question: HttpQuestion = {},
): Promise<HttpAnswer> {
  return askHttp(new URL(path, registry.origin), question);
}
