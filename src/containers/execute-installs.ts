import { isTemplateName } from '../base/container-name.js';
import { getValue, parseUnit } from '../systemd/unit-text.js';
import { executeTransition } from './execute-transition.js';
import type { Host } from './host.js';
import type { JournalEntry } from './journal.js';
import type { PreparedContent, PreparedDeployment } from './prepared-deployment.js';
import { takeBackAfter } from './take-back.js';
import { sideOf } from './transition.js';

/**
 * Carries several installs out, in order. Where one fails, it and those before it are taken back: only what this command
 * installed goes.
 */
export async function executeInstalls(
  host: Host,
  steps: readonly PreparedDeployment[],
  options: { readonly enable: boolean },
): Promise<void> {
  await withInstalled(host, steps, { ...options, body: () => Promise.resolve() });
}

/** {@link executeInstalls} before `body`; where that fails, all of them are taken back, too. */
export async function withInstalled<T>(
  host: Host,
  steps: readonly PreparedDeployment[],
  options: { readonly enable: boolean; readonly body: () => Promise<T> },
): Promise<T> {
  const done: JournalEntry[] = [];
  try {
    for (const step of steps) {
      const entry = installEntry(step, options);
      await executeTransition(host, entry, [step]);
      done.push(entry);
    }
    return await options.body();
  } catch (error) {
    for (const entry of done.reverse()) await takeBackAfter(host, entry, error);
    throw error;
  }
}

function hasDefaultInstance(file: PreparedContent | undefined): boolean {
  const text = file === undefined ? '' : Buffer.from(file.content).toString('utf8');
  return getValue(parseUnit(text), 'Install', 'DefaultInstance') !== undefined;
}

function installEntry(
  { deployment, contents }: PreparedDeployment,
  { enable }: { readonly enable: boolean },
): JournalEntry {
  const { name } = deployment;
  // Of a template there is nothing to start at boot, unless it says which instance.
  const units = deployment.units.filter(
    (unit) => !isTemplateName(name) || hasDefaultInstance(contents.get(unit)),
  );
  return {
    operation: 'install',
    name,
    transitions: [
      {
        name,
        from: undefined,
        to: sideOf(deployment, enable ? units : []),
        builds: true,
        starts: false,
        dependents: [],
        rejected: undefined,
      },
    ],
    purge: false,
    keep: 1,
    watch: false,
  };
}
