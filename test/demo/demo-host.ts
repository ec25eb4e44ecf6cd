import { type BootedHost, bootHost } from '../support/booted-host.js';
import { pushDebianImage } from '../support/debian-image.js';
import { type RealRegistry, startRegistry } from '../support/registry.js';
import type { CommandResult } from '../support/run-command.js';
import type { Suite } from '../support/suites.js';

/** The containers of the demonstration in the order of their installation. */
export const demoContainers = ['etcd', 'flanneld', 'docker'] as const;

/** What one command of berth did. */
export interface DemoCommand {
  readonly line: string;
  readonly output: string;
  readonly tookMs: number;
}

/** A host on which the demonstration happens, and the registry beside it. */
export interface DemoHost extends AsyncDisposable {
  readonly host: BootedHost;
  readonly registry: RealRegistry;
}

/** Starts a registry with the images in it, and boots a host that reaches it. */
export async function startDemoHost(suite: Suite): Promise<DemoHost> {
  const registry = await startRegistry();
  try {
    for (const name of demoContainers) await pushDebianImage(registry.target(name), name);
    const host = await bootHost({ suite });
    await host.network.exposePort(registry.port);
    return {
      host,
      registry,
      [Symbol.asyncDispose]: async () => {
        await host[Symbol.asyncDispose]();
        await registry[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await registry[Symbol.asyncDispose]();
    throw error;
  }
}

/** Installs the three containers: etcd is started at once, so that the network's configuration can be put into it. */
export async function installContainers({
  host,
  registry,
}: DemoHost): Promise<readonly DemoCommand[]> {
  const commands = [
    await runBerth(host, ['install', '--system', '--start', registry.reference('etcd')]),
  ];
  const put = ['etcdctl', 'put', '/atomic.io/network/config', '{ "Network": "10.42.0.0/16" }'];
  await host.runOk(put);
  for (const name of ['flanneld', 'docker']) {
    commands.push(await runBerth(host, ['install', '--system', registry.reference(name)]));
  }
  return commands;
}

/** Runs berth on the host; what fails ends the demonstration with what it said. */
export async function runBerth(host: BootedHost, args: readonly string[]): Promise<DemoCommand> {
  const started = performance.now();
  const result: CommandResult = await host.berth(...args);
  const line = ['berth', ...args].join(' ').replace(/127\.0\.0\.1:\d+\//, 'REGISTRY/');
  if (result.status !== 0) {
    throw new Error(`'${line}' ended with ${result.status}\n${result.stdout}${result.stderr}`);
  }
  return {
    line,
    output: result.stdout.trimEnd().replace(/127\.0\.0\.1:\d+\//g, 'REGISTRY/'),
    tookMs: performance.now() - started,
  };
}
