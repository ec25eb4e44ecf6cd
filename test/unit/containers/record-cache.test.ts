import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';

import { resolveHostPaths } from '../../../src/config/host-paths.js';
import { formatDeployment } from '../../../src/containers/deployment.js';
import type { Host } from '../../../src/containers/host.js';
import { readDeployments } from '../../../src/containers/list-containers.js';
import { deploymentRecord } from '../../support/deployment-record.js';
import { each } from '../../support/each.js';
import { TempDir } from '../../support/temp-dir.js';

/** What a command of its own sees: names and their runtimes, which are as good as any other word of a record. */
const LIST = `
  const [paths, list] = await Promise.all(['config/host-paths.js', 'containers/list-containers.js']
    .map((file) => import(new URL('../../../src/' + file, ${JSON.stringify(import.meta.url)}))));
  const host = { paths: paths.resolveHostPaths({ mode: 'system', root: undefined, env: process.env }) };
  const { deployments, damaged } = await list.readDeployments(host);
  if (damaged.length > 0) throw new Error('damaged');
  console.log(JSON.stringify(Object.fromEntries(deployments.map((one) => [one.name, one.runtime]))));
`;

class ManyRecords implements Disposable {
  readonly #folder = new TempDir();

  constructor(count: number) {
    for (let at = 0; at < count; at++) {
      const name = `c${at}`;
      mkdirSync(join(this.state, `${name}.0`), { recursive: true });
      this.write(name, 'berth');
      symlinkSync(`${name}.0`, join(this.state, name));
    }
  }

  get state(): string {
    return join(this.#folder.path, 'state');
  }

  get cache(): string {
    return join(this.#folder.path, 'run/.records.json');
  }

  /** As a command does it: beside, then renamed. */
  write(name: string, runtime: string): void {
    const file = join(this.state, `${name}.0/deployment.json`);
    writeFileSync(`${file}.new`, formatDeployment(deploymentRecord({ name, runtime })));
    renameSync(`${file}.new`, file);
  }

  /** Changes what earlier commands are said to have read. */
  changeCache(change: (text: string) => string): void {
    writeFileSync(this.cache, change(readFileSync(this.cache, 'utf8')));
  }

  list(): Readonly<Record<string, string>> {
    const text = execFileSync(process.execPath, ['--input-type=module', '-e', LIST], {
      encoding: 'utf8',
      env: { BERTH_STATE_DIR: this.state, BERTH_RUN_DIR: join(this.cache, '..') },
    });
    return JSON.parse(text) as Record<string, string>;
  }

  [Symbol.dispose](): void {
    this.#folder[Symbol.dispose]();
  }
}

test('what one command read of many records, the next finds, but for those that changed', () => {
  using many = new ManyRecords(70);
  assert.equal(Object.keys(many.list()).length, 70);
  assert.equal(statSync(many.cache).mode & 0o777, 0o600);
  many.changeCache((text) => text.replaceAll('"berth","', '"kept","'));
  many.write('c7', 'crun');
  const found = many.list();
  assert.equal(found['c6'], 'kept');
  assert.equal(found['c7'], 'crun');
});

each(
  'what could be of somebody else, or is of another berth, is not taken',
  [
    {
      name: 'another could have read it',
      spoil: (path: string) => {
        chmodSync(path, 0o644);
      },
    },
    {
      name: 'another version',
      spoil: (_path: string, many: ManyRecords) => {
        many.changeCache((text) => text.replace('"version":"', '"version":"0'));
      },
    },
    {
      name: 'of another form',
      spoil: (_path: string, many: ManyRecords) => {
        many.changeCache((text) => text.replace('"format":', '"format":1'));
      },
    },
    {
      name: 'cut off',
      spoil: (_path: string, many: ManyRecords) => {
        many.changeCache((text) => text.slice(0, -9));
      },
    },
  ],
  ({ spoil }) => {
    using many = new ManyRecords(70);
    many.list();
    many.changeCache((text) => text.replaceAll('"berth","', '"kept","'));
    assert.equal(many.list()['c6'], 'kept');
    spoil(many.cache, many);
    assert.equal(many.list()['c6'], 'berth');
  },
);

test('what a command that was killed left of its writing goes with the next one', () => {
  using many = new ManyRecords(70);
  mkdirSync(join(many.cache, '..'));
  writeFileSync(`${many.cache}.new`, '{"version":');
  many.list();
  assert.deepEqual(readdirSync(join(many.cache, '..')), ['.records.json']);
});

test('few records are read each time, and nothing is kept of them', () => {
  using few = new ManyRecords(20);
  few.list();
  assert.equal(existsSync(few.cache), false);
});

test('who looks again at many records sees what came meanwhile', async () => {
  using many = new ManyRecords(70);
  const env = { BERTH_STATE_DIR: many.state, BERTH_RUN_DIR: join(many.cache, '..') };
  const host = {
    paths: resolveHostPaths({ mode: 'system', root: undefined, env }),
  } as unknown as Host;
  const names = async (): Promise<readonly string[]> =>
    (await readDeployments(host)).deployments.map(({ name }) => name);
  await delay(40); // What was found is used again when nothing has changed for a while.
  assert.equal((await names()).length, 70);
  assert.equal((await names()).length, 70);
  mkdirSync(join(many.state, 'more.0'));
  many.write('more', 'berth');
  symlinkSync('more.0', join(many.state, 'more'));
  assert.ok((await names()).includes('more'));
  await delay(40);
  assert.ok((await names()).includes('more'));
  renameSync(join(many.state, 'more'), join(many.state, '.gone'));
  assert.ok(!(await names()).includes('more'));
});
