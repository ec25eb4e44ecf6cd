import assert from 'node:assert/strict';
import { test } from 'node:test';

import { createProxyFinder } from '../../../src/registry/find-proxy.js';
import { assertFails } from '../../support/assert-fails.js';
import { each } from '../../support/each.js';

const proxies = { HTTP_PROXY: 'http://plain:3128', HTTPS_PROXY: 'http://user:secret@secure:3128' };

each(
  'createProxyFinder() gives',
  [
    { name: 'the one for https', url: 'https://quay.io/', want: 'secure:3128' },
    { name: 'the one for http', url: 'http://quay.io/', want: 'plain:3128' },
    { name: 'none for this host', url: 'http://127.0.0.1:5000/', want: undefined },
    { name: 'none for localhost', url: 'https://localhost/', want: undefined },
    { name: 'none for ::1', url: 'http://[::1]:5000/', want: undefined },
    {
      name: 'none for a listed host',
      url: 'https://a.example/',
      no: 'b.example, a.example',
      want: undefined,
    },
    {
      name: 'none below a listed host',
      url: 'https://x.a.example/',
      no: 'a.example',
      want: undefined,
    },
    {
      name: 'none below a listed domain',
      url: 'https://x.a.example/',
      no: '.a.example',
      want: undefined,
    },
    {
      name: 'one for the domain itself',
      url: 'https://a.example/',
      no: '.a.example',
      want: 'secure:3128',
    },
    {
      name: 'one for a host that only ends so',
      url: 'https://xa.example/',
      no: 'a.example',
      want: 'secure:3128',
    },
    { name: 'none at all with a star', url: 'https://a.example/', no: '*', want: undefined },
    {
      name: 'none for a listed port',
      url: 'https://a.example:5000/',
      no: 'a.example:5000',
      want: undefined,
    },
    {
      name: 'one for another port',
      url: 'https://a.example/',
      no: 'a.example:5000',
      want: 'secure:3128',
    },
    {
      name: 'none in a listed network',
      url: 'https://10.1.2.3/',
      no: '10.0.0.0/8',
      want: undefined,
    },
    { name: 'one outside of it', url: 'https://11.1.2.3/', no: '10.0.0.0/8', want: 'secure:3128' },
    {
      name: 'none for a listed address',
      url: 'https://[2001:db8::1]/',
      no: '2001:db8::1',
      want: undefined,
    },
    {
      name: 'none in a listed IPv6 network',
      url: 'https://[2001:db8::1]/',
      no: '2001:db8::/32',
      want: undefined,
    },
    {
      name: 'none for an address in another spelling',
      url: 'https://[2001:db8::1]/',
      no: '2001:DB8:0:0::1',
      want: undefined,
    },
    {
      name: 'none for an address in brackets with its port',
      url: 'https://[2001:db8::1]:5000/',
      no: '[2001:db8::1]:5000',
      want: undefined,
    },
    {
      name: 'one for that address and another port',
      url: 'https://[2001:db8::1]:5001/',
      no: '[2001:db8::1]:5000',
      want: 'secure:3128',
    },
    {
      name: 'none for an IPv4 address with its port',
      url: 'https://10.1.2.3:5000/',
      no: '10.1.2.3:5000',
      want: undefined,
    },
    {
      name: 'one for a network that is none',
      url: 'https://10.1.2.3/',
      no: '10.0.0.0/99',
      want: 'secure:3128',
    },
  ] as { name: string; url: string; no?: string; want: string | undefined }[],
  ({ url, no, want }) => {
    const find = createProxyFinder({ ...proxies, NO_PROXY: no });
    assert.equal(find(new URL(url))?.host, want);
  },
);

test('createProxyFinder() takes a proxy without a scheme, and lower case before upper case', () => {
  const find = createProxyFinder({ http_proxy: 'lower:1', HTTP_PROXY: 'http://upper:2' });
  assert.equal(find(new URL('http://quay.io/'))?.href, 'http://lower:1/');
});

test('createProxyFinder() refuses what is no proxy, and shows no password', async () => {
  for (const HTTPS_PROXY of ['http://user:secret@host:x', 'socks5://user:secret@host']) {
    const error = await assertFails('CONFIG_INVALID', () => createProxyFinder({ HTTPS_PROXY }));
    assert.doesNotMatch(error.message, /secret/);
  }
});
