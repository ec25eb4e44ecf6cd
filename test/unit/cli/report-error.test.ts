import assert from 'node:assert/strict';
import { test } from 'node:test';

import { reportError } from '../../../src/cli/report-error.js';
import { OperationalError } from '../../../src/errors/operational-error.js';
import { addContext } from '../../../src/errors/with-context.js';

function report(
  error: unknown,
  options: { json?: boolean; debug?: boolean; place?: { user?: boolean } } = {},
): { status: number; text: string } {
  let text = '';
  const stderr = { write: (chunk: string) => (text += chunk) };
  const status = reportError(error, { stderr, env: {}, json: false, debug: false, ...options });
  return { status, text };
}

const failure = addContext(
  "cannot install 'etcd'",
  new OperationalError('CONTENT_MISMATCH', 'layer 2 of 3 is not what the manifest promises', {
    hint: 'pull again',
  }),
);

test('reportError() says what, why and what to do, without a stack', () => {
  const { status, text } = report(failure);
  assert.equal(status, 65);
  assert.equal(
    text,
    "berth: cannot install 'etcd'\n  because: layer 2 of 3 is not what the manifest promises\nhint: pull again\n",
  );
});

test('reportError() adds a stack with --debug', () => {
  assert.match(report(failure, { debug: true }).text, /\n {4}at /);
});

test('reportError() does not say twice that a file is not there, or cannot be read', () => {
  const missing = Object.assign(new Error('x'), { code: 'ENOENT', syscall: 'open', path: '/no' });
  const denied = Object.assign(new Error('x'), { code: 'EACCES', syscall: 'scandir', path: '/no' });
  const said = (message: string, cause: Error): string =>
    report(new OperationalError('USAGE', message, { cause })).text;
  assert.equal(
    said("--values: there is no file '/no'", missing),
    "berth: --values: there is no file '/no'\n",
  );
  assert.equal(
    said("cannot read '/no': permission denied", denied),
    "berth: cannot read '/no': permission denied\n",
  );
  const absent = Object.assign(new Error('x'), { code: 'ENOENT', syscall: 'spawn', path: 'gpg' });
  assert.equal(
    said("cannot run 'gpg': it is not installed", absent),
    "berth: cannot run 'gpg': it is not installed\n",
  );
  assert.match(said("there is no file '/other'", missing), /because: open '\/no': no such file/);
  assert.match(said("cannot read '/no'", denied), /because: scandir '\/no': permission denied/);
});

test('reportError() sends who is not root to root, or to containers of an own', () => {
  const hint = 'run berth as root';
  const denied = new OperationalError('NEEDS_ROOT', 'denied', { hint });
  assert.match(report(denied).text, /^hint: run berth as root, or with '--user' for services/m);
});

test('reportError() prints one JSON object with --json', () => {
  assert.deepEqual(JSON.parse(report(failure, { json: true }).text), {
    error: {
      code: 'CONTENT_MISMATCH',
      message: "cannot install 'etcd'",
      hint: 'pull again',
      causes: ['layer 2 of 3 is not what the manifest promises'],
    },
  });
});

test('reportError() does not name an interruption twice', () => {
  const interrupted = new OperationalError('CANCELLED', 'interrupted while watching etcd.service', {
    cause: AbortSignal.abort().reason,
  });
  const { text } = report(addContext("cannot update 'etcd'", interrupted));
  assert.equal(
    text,
    "berth: cannot update 'etcd'\n  because: interrupted while watching etcd.service\n",
  );
});

test('reportError() escapes what a stranger wrote (P31)', () => {
  const { text } = report(new OperationalError('REGISTRY_PROTOCOL', 'said \u001b[31mred\u202e'));
  assert.ok(
    !/[\u001b\u202e]/.test(text),
    'a registry could write escape sequences to the terminal',
  );
});

test('reportError() says a failed system call in words, and a full disk as such', () => {
  const full = Object.assign(new Error('x'), {
    code: 'ENOSPC',
    syscall: 'write',
    path: '/var/lib/berth/x',
  });
  const { status, text } = report(full);
  assert.equal(status, 73);
  assert.match(text, /^berth: write '\/var\/lib\/berth\/x': no space left on the file system\n/);
});

test('reportError() shows a bug with its stack and status 70', () => {
  const { status, text } = report(new TypeError('boom'));
  assert.equal(status, 70);
  assert.match(text, /internal error: boom[^]*at /);
});

test("reportError() sends nobody to root who works with '--user'", () => {
  const hint = 'run berth as root';
  const denied = new OperationalError('NEEDS_ROOT', "mkdir '/root/x': permission denied", { hint });
  assert.match(report(denied).text, /hint: run berth as root/);
  assert.match(
    report(denied, { place: { user: true } }).text,
    /hint: look whose it is, and at HOME and XDG_/,
  );
});

test('reportError() names where a file was to be copied to', () => {
  const error = Object.assign(new Error('EROFS'), {
    ...{ code: 'EROFS', syscall: 'copyfile' },
    ...{ path: '/proc/self/fd/25', dest: '/etc/systemd/system/.x' },
  });
  const { status, text } = report(error);
  assert.equal(status, 71);
  assert.match(
    text,
    /^berth: copyfile '\/etc\/systemd\/system\/\.x': the file system is read-only\nhint: mount it writable;/,
  );
});
