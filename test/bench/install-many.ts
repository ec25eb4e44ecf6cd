import { runCli } from '../../src/cli/run.js';

/**
 * Installs an image under many names into a tree that is not running, all in this process: that takes a tenth of what as many
 * commands take.
 */
export async function installMany(
  tree: string,
  names: readonly string[],
  reference: string,
): Promise<void> {
  for (const name of names) {
    const status = await runCli({
      argv: ['node', 'berth', 'install', '--system', '--root', tree, '--name', name, reference],
      env: process.env,
      stdout: process.stderr,
      stderr: process.stderr,
      on: () => undefined,
      off: () => undefined,
    });
    if (status !== 0) throw new Error(`installing ${name} ended with ${status}`);
  }
}
