import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

import { listContainers } from '../../src/containers/list-containers.js';
import { listImages } from '../../src/containers/list-images.js';
import { getContainer } from '../../src/containers/container-directory.js';
import { OperationalError } from '../../src/errors/operational-error.js';
import { configTemplate, SERVICE_TEMPLATE } from '../support/exports-image.js';
import { FakeRegistry } from '../support/fake-registry.js';
import { pathsInFolder } from '../support/host-tree-paths.js';
import { pushImage } from '../support/push-image.js';
import { buildLayer } from '../support/tar-builder.js';
import { checkInvariants } from './check-invariants.js';
import { type Ended, runAtOnce, whileRunning } from './crowd.js';
import { onTree } from './tree-host.js';

/** What many commands at once came to. */
export interface CrowdResult {
  readonly commands: number;
  /** Looks of readers (list, status, images list) meanwhile. */
  readonly looks: number;
  readonly violations: readonly string[];
}

const LAYERS = 3;

/** Pushes an image of several layers whose containers have nothing on the host in common. */
async function serveImage(): Promise<FakeRegistry> {
  const registry = await FakeRegistry.start();
  const first = [
    { path: 'exports/' },
    { path: 'exports/service.template', content: SERVICE_TEMPLATE },
    { path: 'exports/config.json.template', content: configTemplate() },
    { path: 'probe', content: 'not run offline\n', mode: 0o755 },
  ];
  const layers = Array.from({ length: LAYERS }, (_, index) => [
    ...(index === 0 ? first : []),
    ...Array.from({ length: 20 }, (__, file) => ({
      path: `l${index}/f${file}`,
      content: `${index} ${file}\n`.repeat(500),
    })),
  ]);
  await pushImage({ origin: registry.origin, repository: 'crowd' }, 'latest', {
    architecture: 'amd64',
    layers: layers.map((items) => ({ content: buildLayer(items).blob })),
    process: { Entrypoint: ['/probe'] },
  });
  registry.seen.length = 0;
  return registry;
}

/**
 * Installs containers of as many names at once from one image that the store does not have, then takes all of them away
 * at once. Each layer is fetched once, all succeed, all share their files, and readers never see a half state.
 */
export async function installSideBySide(root: string, count: number): Promise<CrowdResult> {
  await using registry = await serveImage();
  const names = Array.from({ length: count }, (_, index) => `c${index}`);
  const crowd = new Crowd(root);
  const installed = await crowd.run(
    names.map((name) => ['install', '--name', name, `${registry.host}/crowd:latest`]),
  );
  crowd.expectAll(installed, 'install');
  // The configuration is asked for before anything is stored, by each; what is large comes after it.
  const [config, ...others] = registry.blobRequests.map(({ url }) => url);
  const fetched = others.filter((url) => url !== config);
  if (fetched.length !== LAYERS)
    crowd.violations.push(`${fetched.length} requests for ${LAYERS} layers`);
  const inodes = new Set(
    names.map((name) => {
      const file = join(root, `var/lib/berth/${name}.0/rootfs/l1/f1`);
      return statSync(file, { throwIfNoEntry: false })?.ino;
    }),
  );
  if (inodes.size !== 1) crowd.violations.push(`${inodes.size} inodes of one file`);
  await crowd.check('after installing');
  crowd.expectAll(await crowd.run(names.map((name) => ['uninstall', name])), 'uninstall');
  await crowd.check('after uninstalling');
  const left = readdirSync(join(root, 'var/lib/berth')).filter((name) => !name.startsWith('.'));
  if (left.length > 0) crowd.violations.push(`left: ${left.join(' ')}`);
  return crowd.result();
}

/** Installs one name many times at once: one wins, and the others are told in one line, or find it installed. */
export async function installOneName(root: string, count: number): Promise<CrowdResult> {
  await using registry = await serveImage();
  const crowd = new Crowd(root);
  const install = ['install', '--name', 'same', `${registry.host}/crowd:latest`];
  const ended = await crowd.run(Array.from({ length: count }, () => install));
  const won = ended.filter(({ stdout }) => stdout.includes('same installed from'));
  if (won.length !== 1) crowd.violations.push(`${won.length} of ${count} installed it`);
  for (const { status, stdout, stderr } of ended) {
    const told = status === 75 && stderr.includes("another berth is changing 'same'");
    const done = status === 0 && /installed from|is installed already/.test(stdout);
    if (!told && !done) crowd.violations.push(`ended with ${status}: ${stderr}`);
  }
  await crowd.check('after installing');
  return crowd.result();
}

class Crowd {
  readonly violations: string[] = [];
  readonly #root: string;
  #commands = 0;
  #looks = 0;

  constructor(root: string) {
    this.#root = root;
    pathsInFolder(root);
  }

  /** Runs commands at once, and readers beside them. */
  async run(commands: readonly (readonly string[])[]): Promise<readonly Ended[]> {
    this.#commands += commands.length;
    const { rounds, result } = await whileRunning(runAtOnce(this.#root, commands), () =>
      this.#look(),
    );
    this.#looks += rounds;
    return result;
  }

  expectAll(ended: readonly Ended[], what: string): void {
    for (const { status, stderr } of ended)
      if (status !== 0) this.violations.push(`${what} ended with ${status}: ${stderr}`);
  }

  async check(when: string): Promise<void> {
    for (const { id, what } of await checkInvariants(this.#root, { moment: 'recovered' }))
      this.violations.push(`${when}: ${id} ${what}`);
  }

  result(): CrowdResult {
    return { commands: this.#commands, looks: this.#looks, violations: this.violations };
  }

  async #look(): Promise<void> {
    await onTree(this.#root, async (host) => {
      const { containers, damaged } = await listContainers(host);
      for (const { name, error } of damaged)
        this.violations.push(`I14 list shows '${name}' as damaged: ${String(error)}`);
      for (const { deployment } of containers) await this.#lookAt(host, deployment.name);
      await listImages({ ...host, onEvent: ({ text }) => this.violations.push(`I14 ${text}`) });
    });
  }

  async #lookAt(host: Parameters<typeof listContainers>[0], name: string): Promise<void> {
    try {
      await getContainer(host.paths, name);
    } catch (error) {
      // It may be taken away between the two looks.
      const gone = error instanceof OperationalError && error.code === 'CONTAINER_NOT_FOUND';
      if (!gone) this.violations.push(`I14 status of '${name}': ${String(error)}`);
    }
  }
}
