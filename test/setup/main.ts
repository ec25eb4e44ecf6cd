import { basename } from 'node:path';

import { reapDeadHosts } from '../support/host-record.js';
import { bootedHostRecipe, hostTree } from '../support/host-tree.js';
import { suites } from '../support/suites.js';
import { installPackages, missingPackages, testPackages } from './packages.js';

// Makes this machine ready for the integration tests. Run as often as you like: what is there is not made again.

const started = performance.now();

/** Prints one line with the time since the start; progress is for people and goes to standard error. */
function say(text: string): void {
  const seconds = ((performance.now() - started) / 1000).toFixed(1).padStart(6);
  process.stderr.write(`setup ${seconds} s  ${text}\n`);
}

if (process.getuid?.() !== 0) {
  say('the integration tests boot Debian trees: run this as root');
  process.exitCode = 77;
} else {
  const missing = await missingPackages(testPackages);
  if (missing.length > 0) {
    say(`installing ${missing.join(' ')}`);
    await installPackages(missing);
  }
  await reapDeadHosts();
  // Two at a time: a build is half unpacking and half one process of dpkg.
  const waiting = [...suites];
  const buildNext = async (): Promise<void> => {
    for (let suite = waiting.shift(); suite !== undefined; suite = waiting.shift()) {
      say(`host tree ${basename(await hostTree(bootedHostRecipe(suite)))} is ready`);
    }
  };
  await Promise.all([buildNext(), buildNext()]);
  say('done');
}
