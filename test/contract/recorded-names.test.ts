import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';

import type { Deployment } from '../../src/containers/deployment.js';
import { BerthInTree } from '../support/berth-in-tree.js';
import { FakeRegistry } from '../support/fake-registry.js';
import { runCommand, type CommandResult } from '../support/run-command.js';
import { TempDir } from '../support/temp-dir.js';

// What is recorded of the name of an image is what it meant: an update asks for the same, wherever and whenever it is done.

/** Two registries, whose order decides what a short name means. */
class TwoRegistries implements AsyncDisposable {
  readonly tree = new BerthInTree();
  readonly #folder = new TempDir();

  readonly first: FakeRegistry;
  readonly second: FakeRegistry;

  private constructor(first: FakeRegistry, second: FakeRegistry) {
    this.first = first;
    this.second = second;
  }

  static async start(): Promise<TwoRegistries> {
    return new TwoRegistries(await FakeRegistry.start(), await FakeRegistry.start());
  }

  /** Runs berth with a list of registries to search. */
  async berth(search: readonly FakeRegistry[], ...args: readonly string[]): Promise<CommandResult> {
    const conf = `${this.#folder.path}/registries.conf`;
    const hosts = search.map(({ host }) => `"${host}"`).join(', ');
    const text = `unqualified-search-registries = [${hosts}]\nshort-name-mode = "permissive"\n`;
    writeFileSync(conf, text);
    const result = await runCommand(this.tree.command(...args), {
      env: { ...process.env, CONTAINERS_REGISTRIES_CONF: conf },
    });
    assert.equal(result.status, 0, result.stderr);
    return result;
  }

  /** Puts an image of some content into a registry. */
  async push(registry: FakeRegistry, name: string, content: string): Promise<void> {
    await this.#push(registry, name, { content, requires: undefined });
  }

  async pushRequiring(registry: FakeRegistry, name: string, requires: string): Promise<void> {
    await this.#push(registry, name, { content: name, requires });
  }

  async #push(
    registry: FakeRegistry,
    name: string,
    image: { readonly content: string; readonly requires: string | undefined },
  ): Promise<void> {
    const { content, requires } = image;
    const manifest = requires === undefined ? {} : { requires: [requires] };
    const layout = this.tree.makeImage(`${name}-${content}`, [{ path: 'version', content }], {
      'manifest.json': JSON.stringify(manifest),
    });
    await this.tree.runOk(
      'copy',
      '--insecure-policy',
      layout,
      `http:${registry.host}/${name}:latest`,
    );
  }

  record(name: string): Deployment {
    const text = readFileSync(this.#recordFile(name), 'utf8');
    return JSON.parse(text) as Deployment;
  }

  /** Makes the record one of an older berth, which wrote down what was typed. */
  forget(name: string, typed: string): void {
    const record = this.record(name);
    const image = { ...record.image, reference: typed };
    writeFileSync(this.#recordFile(name), JSON.stringify({ ...record, image }));
  }

  version(name: string): string {
    return readFileSync(`${this.tree.path}/var/lib/berth/${name}/rootfs/version`, 'utf8');
  }

  #recordFile(name: string): string {
    return `${this.tree.path}/var/lib/berth/${name}/deployment.json`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.tree[Symbol.dispose]();
    this.#folder[Symbol.dispose]();
    await this.first[Symbol.asyncDispose]();
    await this.second[Symbol.asyncDispose]();
  }
}

test('an update follows the registry that a short name was found in, whatever is searched now', async () => {
  await using place = await TwoRegistries.start();
  const { tree, first, second } = place;
  await place.push(first, 'web', 'ours');
  await place.push(second, 'web', 'theirs');
  await place.berth([first, second], 'install', 'web');
  const meant = `${first.host}/web:latest`;
  assert.equal(place.record('web').image.reference, meant);
  assert.match(await tree.runOk('list', '--no-trunc'), new RegExp(meant));

  assert.match((await place.berth([second, first], 'update', 'web')).stdout, /nothing/i);
  await place.push(first, 'web', 'ours2');
  await place.berth([second], 'update', 'web');
  assert.equal(place.version('web'), 'ours2', 'this is another registry’s image');

  // To follow another one is said.
  await place.berth([second], 'update', '--rebase', 'web', 'web');
  assert.equal(place.version('web'), 'theirs');
  assert.equal(place.record('web').image.reference, `${second.host}/web:latest`);
});

test('a record of an older berth is updated from where its image came', async () => {
  await using place = await TwoRegistries.start();
  const { first, second } = place;
  await place.push(first, 'web', 'ours');
  await place.push(second, 'web', 'theirs');
  await place.berth([first, second], 'install', 'web');
  place.forget('web', 'web');
  assert.match((await place.berth([second], 'update', 'web')).stdout, /nothing/i);
  assert.match((await place.berth([second], 'info', 'web')).stdout, new RegExp(first.host));
  await place.push(first, 'web', 'ours2');
  await place.berth([second], 'update', 'web');
  assert.equal(place.version('web'), 'ours2', 'this is another registry’s image');
});

test('what an image requires comes from the registry that its own short name was found in', async () => {
  await using place = await TwoRegistries.start();
  const { first, second } = place;
  await place.pushRequiring(first, 'app', 'web');
  await place.push(first, 'web', 'ours');
  await place.push(second, 'web', 'theirs');
  await place.berth([second, first], 'install', '--with-dependencies', 'app');
  assert.equal(place.version('web'), 'ours', 'this is another registry’s image');
  assert.equal(place.record('web').image.reference, `${first.host}/web:latest`);
});

test('an image of a relative path is found from everywhere, through the links as they were', async () => {
  using tree = new BerthInTree();
  using folder = new TempDir();
  tree.makeImage('web', [{ path: 'version', content: 'one' }]);
  mkdirSync(`${folder.path}/stick`);
  renameSync(tree.layout('web'), `${folder.path}/stick/web`);
  symlinkSync('stick', `${folder.path}/current`);
  const install = await runCommand(tree.command('install', 'oci:./current/web'), {
    cwd: folder.path,
  });
  assert.equal(install.status, 0, install.stderr);
  assert.match(
    await tree.runOk('list', '--no-trunc'),
    new RegExp(`oci:${folder.path}/current/web`),
  );

  // Another stick, in the same place.
  tree.makeImage('web', [{ path: 'version', content: 'two' }]);
  mkdirSync(`${folder.path}/next`);
  renameSync(tree.layout('web'), `${folder.path}/next/web`);
  rmSync(`${folder.path}/current`);
  symlinkSync('next', `${folder.path}/current`);
  const update = await runCommand(tree.command('update', 'web'), { cwd: '/' });
  assert.equal(update.status, 0, update.stderr);
  const version = `${tree.path}/var/lib/berth/web/rootfs/version`;
  assert.equal(readFileSync(version, 'utf8'), 'two');
});
