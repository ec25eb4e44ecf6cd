import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { streamBlob } from '../../src/registry/blob-stream.js';
import { RegistryClient } from '../../src/registry/registry-client.js';
import { assertFails } from '../support/assert-fails.js';
import { TestAuthority, type Certificate } from '../support/certificates.js';
import { each } from '../support/each.js';
import { FakeRegistry, type Interference } from '../support/fake-registry.js';
import { answer, cutAfter, endless, redirectTo, trickle } from '../support/misbehaviours.js';
import { quickRetries } from '../support/pull-from.js';
import { TempDir } from '../support/temp-dir.js';

/*
 * Long bodies come by a way of their own, in memory that is used again: what a stranger does to any other body is done to them
 * here, over HTTP and over TLS.
 */

const folder = new TempDir();
let certificate: Certificate;

before(async () => {
  certificate = await (await TestAuthority.create(folder.path)).issue(['127.0.0.1']);
});
after(() => {
  folder[Symbol.dispose]();
});

const blob = randomBytes(5_000_003);
const digest = `sha256:${createHash('sha256').update(blob).digest('hex')}` as never;
const signal = new AbortController().signal;

/** A registry that answers for the blob as it is told, and a client that has it lent. */
class Lent implements AsyncDisposable {
  readonly registry: FakeRegistry;
  readonly #client: RegistryClient;

  private constructor(registry: FakeRegistry, idleMs: number) {
    this.registry = registry;
    const timeouts = { connectMs: 30_000, headersMs: 4 * idleMs, idleMs };
    this.#client = new RegistryClient({ certDirs: [], timeouts, retries: quickRetries });
  }

  static async start(
    interference: Interference,
    { idleMs = 10_000, tls = false } = {},
  ): Promise<Lent> {
    const registry = await FakeRegistry.start(tls ? { tls: certificate } : {});
    registry.interfere(interference);
    return new Lent(registry, idleMs);
  }

  async *read(options: { signal?: AbortSignal; size?: number } = {}): AsyncGenerator<Uint8Array> {
    const session = this.#client.session({
      registry: this.registry.host,
      apiHost: this.registry.host,
      repository: 'etcd',
      schemes: [this.registry.origin.startsWith('https:') ? 'https' : 'http'],
      verifyTls: false,
    });
    const descriptor = { digest, size: options.size ?? blob.length };
    yield* streamBlob(session, descriptor, { signal: options.signal ?? signal, lend: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client[Symbol.asyncDispose]();
    await this.registry[Symbol.asyncDispose]();
  }
}

/** What came, looked at before the next piece is asked for, and nothing of it kept. */
async function digestOf(pieces: AsyncIterable<Uint8Array>, pauseMs?: number): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of pieces) {
    if (pauseMs !== undefined) await sleep(pauseMs);
    hash.update(piece);
  }
  return `sha256:${hash.digest('hex')}`;
}

const whole = answer(200, { 'content-length': String(blob.length) }, blob);

/** Sends it in parts of odd lengths, with pauses. */
const dribbled: Interference = async (_request, response) => {
  response.writeHead(200, { 'content-length': String(blob.length) });
  for (let at = 0; at < blob.length; at += 333_331) {
    response.write(blob.subarray(at, at + 333_331));
    await sleep(7);
  }
  response.end();
  return true;
};

const bodies = [
  { name: 'at once', interference: whole },
  { name: 'in pieces', interference: dribbled },
  { name: 'by a slow reader', interference: whole, pauseMs: 30 },
  { name: 'in chunks, without a length', interference: answer(200, {}, blob) },
  { name: 'from elsewhere', interference: redirected() },
  {
    name: 'from a server that hangs up behind it',
    interference: answer(200, { 'content-length': String(blob.length), connection: 'close' }, blob),
  },
  { name: 'R42 cut every 700,000 bytes', interference: cutAfter(blob, 700_000) },
  { name: 'R42 cut in the headers', interference: cutAfter(blob, 1), once: true },
];

for (const tls of [false, true]) {
  each(
    `a lent body is what was sent ${tls ? 'over TLS' : 'over HTTP'}`,
    bodies,
    async ({ interference, pauseMs, once: onlyOnce }) => {
      let asked = 0;
      await using lent = await Lent.start(
        (request, response) =>
          onlyOnce === true && asked++ > 0
            ? whole(request, response)
            : interference(request, response),
        { tls },
      );
      assert.equal(await digestOf(lent.read(), pauseMs), digest);
    },
  );
}

function redirected(): Interference {
  return (request, response) =>
    request.url?.includes('elsewhere') === true
      ? whole(request, response)
      : redirectTo('/elsewhere')(request, response);
}

each(
  'a lent body that breaks off is not waited for',
  [
    {
      name: 'R38 it stops in the middle',
      interference: stopAfter(2_000_000),
      code: 'REGISTRY_UNREACHABLE',
    },
    { name: 'R38 it never begins', interference: trickle(60_000), code: 'REGISTRY_UNREACHABLE' },
    {
      name: 'R02 it is shorter than its length',
      interference: endAfter(2_000_000),
      code: 'REGISTRY_PROTOCOL',
    },
    { name: 'R03 it is longer than the blob', interference: endless, code: undefined },
  ] as const,
  async ({ interference, code }) => {
    const isWaitedFor = code === 'REGISTRY_UNREACHABLE';
    await using lent = await Lent.start(interference, isWaitedFor ? { idleMs: 250 } : {});
    let bytes = 0;
    const read = async (): Promise<void> => {
      for await (const piece of lent.read()) {
        bytes += piece.length;
        if (bytes > blob.length) break; // as verifyContent does
      }
    };
    if (code === undefined) await read();
    else await assertFails(code, read);
    assert.ok(bytes < blob.length + 1_100_000, `${bytes} bytes were read`);
  },
);

function stopAfter(bytes: number): Interference {
  return (_request, response) => {
    response.writeHead(200, { 'content-length': String(blob.length) });
    response.write(blob.subarray(0, bytes));
    return true;
  };
}

function endAfter(bytes: number): Interference {
  return (_request, response) => {
    response.writeHead(200, { 'content-length': String(blob.length), connection: 'close' });
    response.write(blob.subarray(0, bytes), () => response.socket?.end());
    return true;
  };
}

test('a lent body is not waited for once it was aborted', async () => {
  await using lent = await Lent.start(stopAfter(2_000_000), { idleMs: 60_000 });
  const stop = new AbortController();
  setTimeout(() => {
    stop.abort(new Error('enough'));
  }, 100);
  await assert.rejects(digestOf(lent.read({ signal: stop.signal })), /enough/);
});

test('a reader that leaves a lent body closes its connection', async () => {
  const closed: Promise<void>[] = [];
  await using lent = await Lent.start((request, response) => {
    closed.push(new Promise((resolve) => request.socket.once('close', resolve)));
    return stopAfter(2_000_000)(request, response);
  });
  for await (const piece of lent.read()) {
    assert.ok(piece.length > 0);
    break;
  }
  await Promise.all(closed);
  assert.equal(closed.length, 1);
});

test('what a body was read into serves the next one, also where a registry says that it is elsewhere', async (t) => {
  await using lent = await Lent.start(redirected());
  const allocate = t.mock.method(Buffer, 'allocUnsafeSlow');
  const large = (): number =>
    allocate.mock.calls.filter((call) => call.arguments[0] >= 512 * 1024).length;
  assert.equal(await digestOf(lent.read()), digest);
  const first = large();
  for (let i = 0; i < 5; i++) assert.equal(await digestOf(lent.read()), digest);
  assert.equal(large(), first, 'each body has taken memory of its own');
});

for (const tls of [false, true])
  test(`lent bodies that come side by side are each what was sent, whatever becomes of others (${tls ? 'TLS' : 'HTTP'})`, async () => {
    const answers = [whole, dribbled, cutAfter(blob, 1_500_000), whole];
    let asked = 0;
    await using lent = await Lent.start(
      (request, response) => {
        // What goes on after a cut ends well, or at another place.
        const turn = request.headers.range === undefined ? asked++ : 2;
        return answers[turn % answers.length]?.(request, response) ?? false;
      },
      { tls },
    );
    const readers = Array.from({ length: 15 }, async (_, index) => {
      if (index % 5 === 4) {
        for await (const piece of lent.read()) if (piece.length > 0) return 'left';
      }
      if (index % 5 === 3) {
        const stop = AbortSignal.timeout(40 + index);
        return await digestOf(lent.read({ signal: stop })).catch(() => 'aborted');
      }
      const first = await digestOf(lent.read(), index % 4);
      return first === digest ? await digestOf(lent.read(), 1) : first;
    });
    const others = (await Promise.all(readers)).filter((one) => one !== digest);
    assert.deepEqual(
      others.filter((one) => one !== 'left' && one !== 'aborted'),
      [],
      'a body had bytes of another',
    );
    // Those that nobody has left or stopped came whole; what they were read into serves again.
    assert.ok(others.length <= 6, `${others.length} of 15 were not had`);
    assert.equal(await digestOf(lent.read()), digest);
  });

test('control: a reader that keeps what it was lent has something else', async () => {
  await using lent = await Lent.start(whole);
  const kept: Uint8Array[] = [];
  for await (const piece of lent.read()) kept.push(piece);
  const hash = createHash('sha256');
  for (const piece of kept) hash.update(piece);
  assert.notEqual(`sha256:${hash.digest('hex')}`, digest);
});
