import { setTimeout as delay } from 'node:timers/promises';

import { findContainer } from '../../src/containers/container-directory.js';
import { resolveHostPaths } from '../../src/config/host-paths.js';
import { MachineGoneError } from '../support/agent-line.js';
import { MACHINE_BERTH, putBerthInto } from '../support/machine-berth.js';
import { onMachine } from '../support/on-machine.js';
import { pushProbeService } from '../support/probe-image.js';
import { type RealRegistry, startRegistry } from '../support/registry.js';
import type { CommandResult } from '../support/run-command.js';
import type { WholeMachine } from '../support/whole-machine.js';
import { checkInvariants } from './check-invariants.js';
import { seededRandom } from './seeded-random.js';

/** Options of {@link pullPlugs}. */
export interface PlugPullOptions {
  readonly pulls: number;
  readonly seed: number;
  readonly onPull?: (pull: PlugPull) => void;
}

/** One power cut. */
export interface PlugPull {
  readonly number: number;
  readonly command: string;
  /** Milliseconds after the command began. */
  readonly afterMs: number;
  /** Whether the command had said that it is done. */
  readonly wasDone: boolean;
  /** Which image was installed when the power was back: its tag, or `nothing`. */
  readonly found: string;
  readonly violations: readonly string[];
}

/** Time for a command of berth in emulation, where it takes ten times as long. */
const COMMAND_TIMEOUT_MS = 120_000;

/** Of so many cuts, one comes when the command has said that it is done. */
const AWAITED = 5;

const NAME = 'steady';

/** What is installed between two commands. */
type State = 'nothing' | 'one' | 'two';

interface Step {
  readonly command: string;
  readonly before: State;
  readonly after: State;
  /** How long it takes, compared with `berth list`; until it has been measured. */
  readonly effort: number;
}

/**
 * Pulls the plug of a whole machine in the middle of commands that change it, one after the other, each at a moment drawn
 * by lot; some cuts come right after a command has said that it is done. Looks at the disk, boots the machine, lets
 * `berth recover` or the same command again bring it in order, and goes on from there.
 */
export async function pullPlugs(options: PlugPullOptions): Promise<readonly PlugPull[]> {
  await using registry = await startRegistry();
  const digests = await pushImages(registry);
  const prepare = (tree: string): Promise<void> => putBerthInto(tree, registry);
  const pulls: PlugPull[] = [];
  // A machine that breaks is replaced by a new one, and what was not pulled yet is pulled there.
  await onMachine({ suite: 'trixie', prepare }, async (machine) => {
    const random = seededRandom(options.seed + pulls.length);
    const bench = new Bench(machine, { registry, digests, random });
    await bench.warmUp();
    while (pulls.length < options.pulls) {
      const pull = await bench.pull(pulls.length);
      pulls.push(pull);
      options.onPull?.(pull);
    }
    const left = await bench.finish();
    const last = pulls.pop();
    if (last !== undefined) pulls.push({ ...last, violations: [...last.violations, ...left] });
  });
  return pulls;
}

async function pushImages(registry: RealRegistry): Promise<ReadonlyMap<string, State>> {
  const digests = new Map<string, State>();
  for (const version of ['one', 'two'] as const) {
    const { digest } = await pushProbeService(registry.target(version), {
      args: ['ready'],
      // The unit's text changes with the version: an update has to replace it.
      service: ['Type=notify', `Environment=VERSION=${version}`],
      exports: { [`hostfs/etc/${NAME}.conf`]: `version=${version}\n` },
    });
    digests.set(digest, version);
  }
  return digests;
}

interface BenchParts {
  readonly registry: RealRegistry;
  readonly digests: ReadonlyMap<string, State>;
  readonly random: () => number;
}

class Bench {
  readonly #machine: WholeMachine;
  readonly #parts: BenchParts;
  readonly #steps: readonly Step[];
  /** What a command took, by its text. */
  readonly #durationsMs = new Map<string, number>();
  #unitMs = 0;

  constructor(machine: WholeMachine, parts: BenchParts) {
    this.#machine = machine;
    this.#parts = parts;
    const image = `10.0.2.2:${parts.registry.port}`;
    this.#steps = [
      {
        command: `install --system --start --name ${NAME} ${image}/one`,
        ...{ before: 'nothing', after: 'one', effort: 2.5 },
      },
      {
        // It went back from this one the last time round.
        command: `update -y --retry --no-wait --rebase ${image}/two ${NAME}`,
        ...{ before: 'one', after: 'two', effort: 3 },
      },
      { command: `rollback --no-wait ${NAME}`, before: 'two', after: 'one', effort: 1.5 },
      { command: `uninstall --purge ${NAME}`, before: 'one', after: 'nothing', effort: 1.2 },
    ];
  }

  /** Reads the program once, and learns how quick this machine is today. */
  async warmUp(): Promise<void> {
    for (let run = 0; run < 2; run++) {
      const started = Date.now();
      await this.#machine.sh(`${MACHINE_BERTH} list`, COMMAND_TIMEOUT_MS);
      this.#unitMs = Date.now() - started;
    }
  }

  /** Cuts the power during the command that is next. */
  async pull(number: number): Promise<PlugPull> {
    const step = this.#steps[number % this.#steps.length];
    if (step === undefined) throw new Error('there are no steps');
    const violations: string[] = [];
    const usualMs = this.#durationsMs.get(step.command) ?? step.effort * this.#unitMs;
    const isAwaited = number % AWAITED === AWAITED - 1;
    const momentMs = isAwaited ? COMMAND_TIMEOUT_MS : usualMs * (0.2 + 0.9 * this.#parts.random());
    const started = Date.now();
    const result = await this.#runAndCut(step, momentMs);
    const afterMs = Date.now() - started;
    const wasDone = result !== undefined;
    if (wasDone && result.status !== 0) violations.push(`it failed: ${result.stderr}`);
    const found = await this.#lookAtDisk(violations);
    if (found !== step.after && (wasDone || found !== step.before))
      violations.push(
        `${found} is installed, not ${wasDone ? '' : `${step.before} or `}${step.after}`,
      );
    await this.#machine.start();
    if (step.before !== 'nothing' && step.after !== 'nothing')
      await this.#expectState('active', 'after the boot', violations);
    await this.#goOn(step, { found, recoverFirst: number % 2 === 0, violations });
    return { number, command: step.command, afterMs, wasDone, found, violations };
  }

  /** The command's end if it came before the power was cut. */
  async #runAndCut(step: Step, momentMs: number): Promise<CommandResult | undefined> {
    const running = this.#machine
      .run(`${MACHINE_BERTH} ${step.command}`, COMMAND_TIMEOUT_MS)
      .catch((error: unknown) => {
        if (error instanceof MachineGoneError) return undefined;
        throw error;
      });
    const moment = new AbortController();
    const result = await Promise.race([running, pause(momentMs, moment.signal)]);
    moment.abort();
    await this.#machine.powerCut();
    // Its answer may have been on the line when the power went.
    return result ?? (await running);
  }

  /** What is installed on the disk as the cut left it, its journal replayed. */
  async #lookAtDisk(violations: string[]): Promise<string> {
    await this.#machine.checkDisk();
    return this.#machine.withDisk(async (root) => {
      const wrong = await checkInvariants(root, { moment: 'interrupted' });
      violations.push(...wrong.map(({ id, what }) => `at once: ${id} ${what}`));
      const paths = resolveHostPaths({ mode: 'system', root, env: {} });
      const deployment = await findContainer(paths, NAME);
      if (deployment === undefined) return 'nothing';
      return this.#parts.digests.get(deployment.image.digest) ?? deployment.image.digest;
    });
  }

  async #goOn(
    step: Step,
    at: { readonly found: string; readonly recoverFirst: boolean; readonly violations: string[] },
  ): Promise<void> {
    const berth = (args: string): Promise<CommandResult> =>
      this.#machine.run(`${MACHINE_BERTH} ${args}`, COMMAND_TIMEOUT_MS);
    if (at.recoverFirst) {
      const recovered = await berth('recover');
      if (recovered.status !== 0) at.violations.push(`recover: ${recovered.stderr}`);
    }
    // Going back once more would lead to where it came from.
    if (at.found !== step.after || !step.command.startsWith('rollback')) {
      const started = Date.now();
      const again = await berth(step.command);
      if (at.found === step.before) this.#durationsMs.set(step.command, Date.now() - started);
      // Nothing is there any more that could be uninstalled: that is told, and is what was wanted.
      const isDone = again.status === 0 || (step.after === 'nothing' && again.status === 66);
      if (!isDone) at.violations.push(`the same again: ${again.status} ${again.stderr}`);
    } else await berth('recover');
    const wanted = step.after === 'nothing' ? 'inactive' : 'active';
    await this.#expectState(wanted, 'at the end', at.violations);
    const content = await this.#machine.run(`cat /etc/${NAME}.conf`);
    if (content.stdout !== (step.after === 'nothing' ? '' : `version=${step.after}\n`))
      at.violations.push(`the host file is '${content.stdout}'`);
  }

  async #expectState(wanted: string, when: string, violations: string[]): Promise<void> {
    const show = `systemctl show --value --property=ActiveState ${NAME}.service`;
    const state = (await this.#machine.sh(show)).trim();
    if (state !== wanted) violations.push(`${when}: the service is ${state}, not ${wanted}`);
  }

  /** Shuts down in order; what is wrong on the disk then. */
  async finish(): Promise<readonly string[]> {
    await this.#machine.powerOff();
    return this.#machine.withDisk(async (root) => {
      const wrong = await checkInvariants(root, { moment: 'recovered' });
      return wrong.map(({ id, what }) => `at the end: ${id} ${what}`);
    });
  }
}

/** Waits for a time, or until it is not needed any more. */
async function pause(ms: number, signal: AbortSignal): Promise<undefined> {
  await delay(ms, undefined, { signal }).catch(() => undefined);
  return undefined;
}
