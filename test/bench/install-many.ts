import { Writable } from 'node:stream';

import { runCli } from '../../src/cli/run.js';

/**
 * Installs an image under many names into a tree that is not running, all in this process: that takes a tenth of what as many
 * commands take. What they say is told where one of them fails.
 */
export async function installMany(
  tree: string,
  names: readonly string[],
  reference: string,
): Promise<void> {
  for (const name of names) {
    const said: Buffer[] = [];
    const output = new Writable({
      write(chunk: Buffer, _encoding, done) {
        said.push(chunk);
        done();
      },
    }) as unknown as NodeJS.WriteStream;
    const status = await runCli({
      argv: ['node', 'berth', 'install', '--system', '--root', tree, '--name', name, reference],
      env: process.env,
      stdout: output,
      stderr: output,
      on: () => undefined,
      off: () => undefined,
    });
    if (status !== 0)
      throw new Error(`installing ${name} ended with ${status}\n${Buffer.concat(said).toString()}`);
  }
}
