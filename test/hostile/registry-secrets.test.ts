import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { inspect } from 'node:util';

import { ownProgram } from '../../src/base/own-files.js';
import { storeCredentials } from '../../src/registry/write-auth-file.js';
import { askHttp } from '../support/ask-http.js';
import { assertFails } from '../support/assert-fails.js';
import { TestAuthority } from '../support/certificates.js';
import { each } from '../support/each.js';
import { FakeRegistry, type SeenRequest } from '../support/fake-registry.js';
import { forPath, only, redirectTo } from '../support/misbehaviours.js';
import { startRegistry } from '../support/registry.js';
import { TempDir } from '../support/temp-dir.js';
import { TokenServer } from '../support/token-server.js';
import { Workshop } from '../support/workshop.js';

/*
 * Secrets are looked for wherever a command could leave them: what it writes, what everybody may read of its process and of those
 * that it starts, every file but the one that is for them.
 */

const account = { user: 'somebody', password: 'mArker/p&ss+"w0rd"' };
const basic = Buffer.from(`${account.user}:${account.password}`).toString('base64');
const signature = 'signature-marker-0123456789';
const program = ownProgram();

/** Every spelling of what must not be seen. */
function spellings(secrets: readonly string[]): readonly string[] {
  return secrets.flatMap((secret) => [
    secret,
    JSON.stringify(secret).slice(1, -1),
    encodeURIComponent(secret),
    Buffer.from(secret).toString('base64').replace(/=+$/, ''),
  ]);
}

function assertHidden(text: string, secrets: readonly string[], where: string): void {
  for (const spelling of spellings(secrets)) {
    assert.ok(!text.includes(spelling), `a secret stands in ${where}: ${text.slice(0, 2000)}`);
  }
}

/** A person at one host, with one file of accounts. */
class Person implements Disposable {
  readonly shop = new Workshop();
  readonly secrets: readonly string[];
  readonly #env: Readonly<Record<string, string>>;
  #pid: number | undefined;
  looks = 0;

  constructor(secrets: readonly string[]) {
    this.secrets = [...secrets, basic];
    for (const name of ['home', 'state', 'run', 'bin', 'accounts']) mkdirSync(this.shop.at(name));
    this.#env = {
      PATH: process.env['PATH'] ?? '',
      HOME: this.shop.at('home'),
      BERTH_STATE_DIR: this.shop.at('state'),
      BERTH_RUN_DIR: this.shop.at('run'),
      REGISTRY_AUTH_FILE: this.authfile,
    };
  }

  get authfile(): string {
    return this.shop.at('accounts/auth.json');
  }

  /** Runs berth; whatever it says is looked through. Ends with its status. */
  async berth(args: readonly string[], input = ''): Promise<number> {
    const child = spawn(process.execPath, [program, ...args, '--debug'], { env: this.#env });
    this.#pid = child.pid;
    let said = '';
    child.stdout.on('data', (bytes: Buffer) => (said += bytes.toString()));
    child.stderr.on('data', (bytes: Buffer) => (said += bytes.toString()));
    child.stdin.end(input);
    const status = await new Promise<number | null>((resolve) => child.once('close', resolve));
    this.#pid = undefined;
    assertHidden(said, this.secrets, `what berth ${args[0] ?? ''} says`);
    return status ?? -1;
  }

  /** Looks at the process that asks just now; a registry calls it. */
  look(): void {
    if (this.#pid === undefined) return;
    this.looks++;
    for (const file of ['cmdline', 'environ']) {
      const text = readFileSync(`/proc/${this.#pid}/${file}`, 'latin1');
      assertHidden(text, this.secrets, file);
    }
  }

  /** Whether a core dump of the process that asks just now would hold none of its memory. */
  get keepsMemory(): boolean {
    return /^0+$/.test(readFileSync(`/proc/${this.#pid ?? 0}/coredump_filter`, 'utf8').trim());
  }

  lookAtFiles(): void {
    const files = readdirSync(this.shop.folder.path, { recursive: true, withFileTypes: true });
    for (const file of files.filter((entry) => entry.isFile())) {
      const path = `${file.parentPath}/${file.name}`;
      if (path === this.authfile) continue;
      assertHidden(readFileSync(path, 'latin1'), this.secrets, path);
    }
  }

  [Symbol.dispose](): void {
    this.shop[Symbol.dispose]();
  }
}

/** A registry as a person meets it. */
interface Place extends AsyncDisposable {
  readonly host: string;
  readonly secrets: readonly string[];
  /** What the file of accounts holds, where `berth login` does not write it. */
  readonly account?: object;
  /** Called with each request, where requests can be seen. */
  onRequest?: () => void;
}

async function startFake(login: 'basic' | 'bearer', redirects = false): Promise<Place> {
  const accounts = { [account.user]: account.password };
  const registry = await FakeRegistry.start({ login, accounts });
  const store = await startStore(registry);
  const place: Place = {
    host: registry.host,
    secrets: [account.password, signature],
    [Symbol.asyncDispose]: async () => {
      await registry[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
    },
  };
  if (redirects) {
    registry.interfere((request, response) => {
      const isBlob = request.method === 'GET' && (request.url ?? '').includes('/blobs/sha256:');
      const isAsked = request.headers.authorization !== undefined;
      if (!isBlob || !isAsked || request.headers['x-inside'] !== undefined) return false;
      const to = `${store.origin}${request.url ?? ''}?X-Signature=${signature}`;
      return redirectTo(to)(request, response);
    });
  }
  registry.interfere(() => {
    place.onRequest?.();
    return false;
  });
  return place;
}

/** A store of blobs behind a registry: takes signed requests, and no others. */
async function startStore(registry: FakeRegistry) {
  const server = createServer((request, response) => {
    void (async () => {
      const url = new URL(request.url ?? '', 'http://x');
      if (url.searchParams.get('X-Signature') !== signature) {
        response.writeHead(403).end(`no such thing: ${url.search}`);
        return;
      }
      const answer = await askHttp(new URL(url.pathname, registry.origin), {
        headers: { authorization: `Basic ${basic}`, 'x-inside': 'yes' },
      });
      response.writeHead(answer.status).end(answer.body);
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A real registry whose token server takes a refresh token. */
async function startTokens(): Promise<Place> {
  const person = new Workshop();
  const signers = await TestAuthority.create(person.folder.path);
  const signer = await signers.issue(['signer.example']);
  const tokens = await TokenServer.start({ account, signer });
  const { realm } = tokens;
  const { service, issuer } = TokenServer;
  const registry = await startRegistry({ tokens: { realm, service, issuer, ca: signers.cert } });
  return {
    host: registry.host,
    secrets: [account.password, tokens.refreshToken],
    account: { auths: { [registry.host]: { identitytoken: tokens.refreshToken } } },
    [Symbol.asyncDispose]: async () => {
      await registry[Symbol.asyncDispose]();
      await tokens[Symbol.asyncDispose]();
      person[Symbol.dispose]();
    },
  };
}

each(
  'R57 no secret is left anywhere by login, push, pull, copy, inspect and tags, with',
  [
    { name: 'a password with each request', start: () => startFake('basic') },
    { name: 'a token', start: () => startFake('bearer') },
    { name: 'a signed redirect', start: () => startFake('basic', true) },
    { name: 'a refresh token', start: startTokens },
  ],
  async ({ start }) => {
    await using place = await start();
    using person = new Person(place.secrets);
    const { shop } = person;
    let heldBack = false;
    place.onRequest = () => {
      person.look();
      heldBack ||= person.keepsMemory;
    };
    const image = `${place.host}/a/b:v1`;
    if (place.account === undefined) {
      const login = ['login', '-u', account.user, '--password-stdin', place.host];
      assert.equal(await person.berth(login, `${account.password}\n`), 0);
    } else {
      writeFileSync(person.authfile, JSON.stringify(place.account));
    }
    for (const args of [
      ['push', shop.source, image],
      ['tags', image, '--json'],
      ['inspect', image],
      ['pull', image],
      ['copy', image, `oci:${shop.at('copied')}:x`],
      ['logout', place.host],
    ]) {
      assert.equal(await person.berth(args), 0, args.join(' '));
    }
    person.lookAtFiles();
    if (place.account !== undefined) return; // the other registry is a program of its own, nobody looks in the middle
    assert.ok(person.looks > 5, 'this case proves nothing');
    assert.ok(heldBack, 'a core dump would have held the password');
  },
);

/** A login, or a request for a token by refresh token. */
const isSecret = ({
  headers,
  url,
}: Pick<SeenRequest, 'headers' | 'url'> | IncomingMessage): boolean =>
  headers.authorization !== undefined || url === '/token';

/** Repeats what it was sent, as servers for debugging and some proxies do. */
async function startParrot(login: 'basic' | 'bearer') {
  const repeat = async (request: IncomingMessage, response: ServerResponse): Promise<boolean> => {
    const parts: Buffer[] = [];
    for await (const part of request as AsyncIterable<Buffer>) parts.push(part);
    const said = Buffer.concat(parts).toString();
    const { authorization = '' } = request.headers;
    const plain = Buffer.from(authorization.replace('Basic ', ''), 'base64').toString();
    const message = `you sent ${authorization} and ${plain} and ${said} to ${request.url ?? ''}`;
    response.writeHead(403, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ errors: [{ code: 'DENIED', message }] }));
    return true;
  };
  const registry = await FakeRegistry.start({ login, accounts: { nobody: 'x' } });
  registry.interfere(only(isSecret, repeat));
  return registry;
}

each(
  'R57 a server that repeats what it was sent is quoted without it',
  [
    { name: 'a password with each request', login: 'basic', entry: { auth: basic } },
    { name: 'a password for a token', login: 'bearer', entry: { auth: basic } },
    {
      name: 'a refresh token',
      login: 'bearer',
      entry: { identitytoken: 'refresh-marker-0123456789' },
    },
  ] as const,
  async ({ login, entry }) => {
    await using registry = await startParrot(login);
    using person = new Person([account.password, 'refresh-marker-0123456789']);
    writeFileSync(person.authfile, JSON.stringify({ auths: { [registry.host]: entry } }));
    for (const args of [
      ['tags', `${registry.host}/a/b`],
      ['pull', `${registry.host}/a/b`, '--json'],
      ['push', person.shop.source, `${registry.host}/a/b:1`],
    ]) {
      assert.equal(await person.berth(args), 77, args.join(' '));
    }
    assert.ok(registry.seen.some(isSecret), 'nothing was sent in confidence');
  },
);

test('R57 a store that repeats its signed address is quoted without the signature', async () => {
  using person = new Person([account.password, signature]);
  await using registry = await FakeRegistry.start();
  await using store = await startStore(registry);
  const { shop } = person;
  assert.equal(await person.berth(['push', shop.source, `${registry.host}/a/b:1`]), 0);
  const wrong = redirectTo(`${store.origin}/repeat?X-Other=${signature}`);
  registry.interfere(only(forPath('/blobs/'), wrong));
  assert.equal(await person.berth(['pull', `${registry.host}/a/b:1`]), 77);
});

test('a credential helper gets a password on its standard input and nowhere else, and its complaints are quoted without it', async () => {
  using folder = new TempDir();
  const at = (name: string): string => `${folder.path}/${name}`;
  const script = [
    '#!/bin/sh',
    `cat /proc/$$/cmdline /proc/$$/environ >${at('seen')}`,
    `cat >${at('input')}`,
    `printf 'cannot keep %s\\n' "$(cat ${at('input')})" >&2`,
    'exit 3',
  ];
  writeFileSync(at('docker-credential-marker'), script.join('\n'), { mode: 0o755 });
  writeFileSync(at('auth.json'), JSON.stringify({ credHelpers: { 'a.example': 'marker' } }));
  const place = { path: at('auth.json'), helperEnv: { PATH: `${folder.path}:/usr/bin:/bin` } };
  const credentials = {
    kind: 'password',
    username: account.user,
    password: account.password,
  } as const;
  const error = await assertFails('PROGRAM_FAILED', () =>
    storeCredentials(place, 'a.example', credentials),
  );
  assert.match(error.message, /cannot keep/);
  assertHidden(inspect(error), [account.password], 'the error');
  assertHidden(readFileSync(at('seen'), 'latin1'), [account.password], 'what everybody reads');
  assert.ok(readFileSync(at('input'), 'utf8').includes(JSON.stringify(account.password)));
});
