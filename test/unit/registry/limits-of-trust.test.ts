import assert from 'node:assert/strict';
import { test } from 'node:test';

import { findReach, isAddressAllowed } from '../../../src/registry/address-reach.js';
import { redactUrl } from '../../../src/registry/redact-url.js';
import { parseRetryAfter } from '../../../src/registry/response-error.js';
import { DEFAULT_RETRIES, retryDelay } from '../../../src/registry/retry.js';
import { each } from '../../support/each.js';

each(
  'findReach() knows R20',
  [
    { name: '8.8.8.8', want: 'public' },
    { name: '2001:db8::1', want: 'public' },
    { name: '10.1.2.3', want: 'private' },
    { name: '172.31.0.1', want: 'private' },
    { name: '192.168.0.1', want: 'private' },
    { name: '100.64.0.1', want: 'private' },
    { name: 'fd00::1', want: 'private' },
    { name: '127.0.0.1', want: 'loopback' },
    { name: '127.255.255.254', want: 'loopback' },
    { name: '0.0.0.0', want: 'loopback' },
    { name: '[::1]', want: 'loopback' },
    { name: '::', want: 'loopback' },
    { name: '::ffff:127.0.0.1', want: 'loopback' },
    { name: '[::ffff:7f00:1]', want: 'loopback' },
    { name: '64:ff9b::7f00:1', want: 'loopback' },
    { name: 'localhost', want: 'loopback' },
    { name: 'a.localhost', want: 'loopback' },
    { name: '169.254.169.254', want: 'link-local' },
    { name: '::ffff:169.254.169.254', want: 'link-local' },
    { name: '64:ff9b::a9fe:a9fe', want: 'link-local' },
    { name: 'fe80::1', want: 'link-local' },
    { name: '224.0.0.1', want: 'link-local' },
    { name: 'registry.example', want: undefined },
  ],
  ({ name, want }) => {
    assert.equal(findReach(name), want);
  },
);

test('isAddressAllowed() lets a host reach as far inside as it is, and no farther', () => {
  assert.equal(isAddressAllowed('10.0.0.1', 'public'), false);
  assert.equal(isAddressAllowed('10.0.0.1', 'private'), true);
  assert.equal(isAddressAllowed('127.0.0.1', 'private'), false);
  assert.equal(isAddressAllowed('127.0.0.1', 'loopback'), true);
  assert.equal(isAddressAllowed('169.254.169.254', 'loopback'), false);
  assert.equal(isAddressAllowed('8.8.8.8', 'public'), true);
  assert.equal(isAddressAllowed('registry.example', 'public'), true);
});

const now = Date.UTC(2026, 0, 1);

each(
  'parseRetryAfter() reads R41',
  [
    { name: '3', want: 3000 },
    { name: '0', want: 0 },
    { name: 'Thu, 01 Jan 2026 00:01:00 GMT', want: 60_000 },
    { name: 'Thu, 01 Jan 1970 00:00:00 GMT', want: 0 },
    { name: '-1', want: undefined },
    { name: '1.5', want: undefined },
    { name: 'soon', want: undefined },
    { name: '1000000000000000000', want: undefined },
    { name: '', want: undefined },
  ],
  ({ name, want }) => {
    assert.equal(parseRetryAfter(name, now), want);
  },
);

test('retryDelay() grows, keeps apart those who wait, and is never longer than its limits R41', () => {
  const policy = DEFAULT_RETRIES;
  for (let attempt = 1; attempt < 40; attempt++) {
    const ceiling = Math.min(policy.maxDelayMs, policy.baseDelayMs * 2 ** (attempt - 1));
    const delay = retryDelay(policy, { attempt });
    assert.ok(delay >= ceiling / 2 && delay <= ceiling, `${delay} of ${ceiling}`);
  }
  const year9999 = parseRetryAfter('Fri, 31 Dec 9999 23:59:59 GMT', now);
  for (const serverDelayMs of [year9999, 1e18, 31_536_000_000]) {
    assert.ok(retryDelay(policy, { attempt: 1, serverDelayMs }) <= policy.maxServerDelayMs + 500);
  }
  assert.ok(retryDelay(policy, { attempt: 1, serverDelayMs: 3000 }) >= 3000);
});

each(
  'redactUrl() shows R57',
  [
    {
      name: 'no query',
      url: 'https://cdn.example/blob?X-Signature=secret',
      want: 'https://cdn.example/blob?…',
    },
    {
      name: 'no password',
      url: 'http://user:secret@proxy.example:3128/',
      want: 'http://proxy.example:3128/',
    },
    { name: 'no fragment', url: 'https://a.example/x#secret', want: 'https://a.example/x' },
    { name: 'the port', url: 'https://a.example:5000/v2/', want: 'https://a.example:5000/v2/' },
  ],
  ({ url, want }) => {
    assert.equal(redactUrl(new URL(url)), want);
  },
);
