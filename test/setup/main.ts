import { debianImageLayers, debianImages } from '../support/debian-image.js';
import { emulatorCommand } from '../support/emulator.js';
import { hostNode } from '../support/host-node.js';
import { reapDeadHosts } from '../support/host-record.js';
import { bootedHostRecipe, hostTree } from '../support/host-tree.js';
import { machineKernel } from '../support/machine-kernel.js';
import { machineModels } from '../support/machine-models.js';
import { suites } from '../support/suites.js';
import { wholeMachineRecipe } from '../support/whole-machine.js';
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
  await hostNode();
  const jobs = [
    ...suites.map((suite) => ({
      what: `host tree of ${suite}`,
      make: (): Promise<unknown> => hostTree(bootedHostRecipe(suite)),
    })),
    ...machineModels.map((model) => ({
      what: `tree, kernel and emulator of a whole machine (${model.architecture})`,
      make: async (): Promise<unknown> => [
        await emulatorCommand(model.architecture),
        await hostTree(wholeMachineRecipe(model)),
        await machineKernel(model.suite, model.architecture),
      ],
    })),
    ...debianImages.map((name) => ({
      what: `image ${name}`,
      make: (): Promise<unknown> => debianImageLayers(name),
    })),
  ];
  // Two at a time: a build is half unpacking and half one process of dpkg.
  const makeNext = async (): Promise<void> => {
    for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) {
      await job.make();
      say(`${job.what} is ready`);
    }
  };
  await Promise.all([makeNext(), makeNext()]);
  say('done');
}
