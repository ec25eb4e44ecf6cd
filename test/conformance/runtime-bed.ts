import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

import { SYSTEM_MOUNTS } from '../../src/oci/usual-config.js';
import { projectRoot } from '../support/cache-folder.js';
import { TempDir } from '../support/temp-dir.js';
import { waitUntil } from '../support/wait-until.js';

/** What a call of the command line left behind. */
export interface CallResult {
  /** Which call of the bed it was. */
  readonly number: number;
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The state as `state` prints it. */
export interface State {
  readonly ociVersion: string;
  readonly id: string;
  readonly status: string;
  readonly pid?: number;
  readonly bundle: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** A document as a test writes it. */
export type Document = Record<string, unknown>;

const APPLETS = [
  ...[
    'sh',
    'cat',
    'echo',
    'sleep',
    'true',
    'false',
    'id',
    'ls',
    'touch',
    'mount',
    'umount',
    'stat',
  ],
  ...[
    'grep',
    'env',
    'pwd',
    'hostname',
    'head',
    'readlink',
    'kill',
    'mkdir',
    'umask',
    'dd',
    'mknod',
    'chmod',
    'stty',
    'tty',
  ],
];

const CAPABILITIES = [
  ...['CAP_CHOWN', 'CAP_DAC_OVERRIDE', 'CAP_FSETID', 'CAP_FOWNER', 'CAP_MKNOD', 'CAP_NET_RAW'],
  ...['CAP_SETGID', 'CAP_SETUID', 'CAP_SETFCAP', 'CAP_SETPCAP', 'CAP_NET_BIND_SERVICE'],
  ...['CAP_SYS_CHROOT', 'CAP_KILL', 'CAP_AUDIT_WRITE'],
];

/** The document that the validation programs begin with: the bundle is the root, and it is writable. */
export function defaultDocument(args: readonly string[]): Document {
  return {
    ociVersion: '1.0.0',
    process: {
      user: { uid: 0, gid: 0 },
      args,
      env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'TERM=xterm'],
      cwd: '/',
      capabilities: Object.fromEntries(
        ['bounding', 'effective', 'inheritable', 'permitted', 'ambient'].map((set) => [
          set,
          CAPABILITIES,
        ]),
      ),
      rlimits: [{ type: 'RLIMIT_NOFILE', hard: 1024, soft: 1024 }],
    },
    root: { path: '.' },
    hostname: 'mrsdalloway',
    // Without control groups, which the programs mount where they look at them.
    mounts: SYSTEM_MOUNTS.filter(({ type }) => type !== 'cgroup'),
    linux: {
      namespaces: ['pid', 'network', 'ipc', 'uts', 'mount'].map((type) => ({ type })),
    },
  };
}

/** A bundle, and the command line that is judged: berth's, or what `RUNTIME` names. */
export class RuntimeBed implements Disposable {
  readonly #directory = new TempDir('/var/tmp');
  readonly #runtime = process.env['RUNTIME']?.split(' ') ?? [
    process.execPath,
    join(projectRoot, 'dist/bin/berth-runtime.cjs'),
  ];
  /** The bundle, which is the root too. */
  readonly bundle = join(this.#directory.path, 'bundle');
  readonly id = `conf-${randomBytes(5).toString('hex')}`;
  #calls = 0;

  constructor() {
    for (const folder of ['bin', 'proc', 'dev', 'sys', 'tmp', 'etc', 'root', 'mnt']) {
      mkdirSync(join(this.bundle, folder), { recursive: true });
    }
    copyFileSync(busybox(), join(this.bundle, 'bin/busybox'));
    for (const applet of APPLETS) symlinkSync('busybox', join(this.bundle, 'bin', applet));
    mkdirSync(this.path('out'));
  }

  /** A path beside the bundle. */
  path(name: string): string {
    return join(this.#directory.path, name);
  }

  /** Writes config.json. */
  configure(document: Document): void {
    writeFileSync(join(this.bundle, 'config.json'), JSON.stringify(document));
  }

  /** Calls the runtime; its streams are files, which a container may keep open. */
  call(...args: readonly string[]): CallResult {
    return this.callThrough([], ...args);
  }

  /** Calls the runtime by a command that runs another. */
  callThrough(by: readonly string[], ...args: readonly string[]): CallResult {
    const [program = '', ...first] = [...by, ...this.#runtime];
    const number = this.#calls++;
    const paths = this.#outputs(number);
    const files = paths.map((path) => openSync(path, 'w'));
    const { status, signal } = spawnSync(
      program,
      [...first, '--root', this.path('state'), ...args],
      {
        stdio: ['ignore', files[0] ?? 1, files[1] ?? 2],
        timeout: 60_000,
      },
    );
    for (const fd of files) closeSync(fd);
    const [stdout = '', stderr = ''] = paths.map((path) => readFileSync(path, 'utf8'));
    return { number, status: status ?? (signal === null ? -1 : -2), stdout, stderr };
  }

  create(...options: readonly string[]): CallResult {
    return this.call('create', '--bundle', this.bundle, ...options, this.id);
  }

  #outputs(number: number): readonly string[] {
    return ['stdout', 'stderr'].map((name) => this.path(`out/${name}-${number}`));
  }

  /** What a call has printed by now, and whatever has its streams. */
  output(number: number): string {
    return this.#outputs(number)
      .map((path) => readFileSync(path, 'utf8'))
      .join('');
  }

  /** As the validation programs do it: anything but success throws. Gives the number of the call. */
  must(result: CallResult): number {
    if (result.status !== 0) throw new Error(`ended with ${result.status}: ${result.stderr}`);
    return result.number;
  }

  state(): State | undefined {
    const { status, stdout } = this.call('state', this.id);
    return status === 0 ? (JSON.parse(stdout) as State) : undefined;
  }

  async waitFor(...statuses: readonly string[]): Promise<void> {
    await waitUntil(`a container that is ${statuses.join(' or ')}`, () => {
      const status = this.state()?.status;
      return status !== undefined && statuses.includes(status);
    });
  }

  /** Creates, starts, waits for the end, deletes; gives what the program wrote. */
  async inside(document: Document): Promise<string> {
    this.configure(document);
    const number = this.must(this.create());
    this.must(this.call('start', this.id));
    await this.waitFor('stopped');
    this.must(this.call('delete', this.id));
    return this.output(number);
  }

  /** A file of the root; undefined if it is not there. */
  read(name: string): string | undefined {
    const path = join(this.bundle, name);
    return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
  }

  [Symbol.dispose](): void {
    this.call('delete', '--force', this.id);
    rmSync(this.#directory.path, { recursive: true, force: true });
    this.#directory[Symbol.dispose]();
  }
}

function busybox(): string {
  const found = ['/bin/busybox', '/usr/bin/busybox'].find((path) => existsSync(path));
  if (found === undefined) throw new Error('busybox-static is not installed: npm run pretest');
  return found;
}

/** A copy of a document with members of `process`, `linux` and the top changed. */
export function change(
  document: Document,
  changes: { readonly process?: object; readonly linux?: object; readonly [key: string]: unknown },
): Document {
  const { process, linux, ...rest } = changes;
  return {
    ...document,
    ...rest,
    process: { ...(document['process'] as object), ...process },
    linux: { ...(document['linux'] as object), ...linux },
  };
}
