import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import { parseSignal } from '../runtime/signals.js';
import { cgroupOf } from './container-cgroup.js';
import { signalIfAlive } from './container-process.js';
import type { RuntimeCommand } from './runtime-command.js';
import { openContainer, type RuntimeContext } from './runtime-context.js';

/** `kill`. */
export const kill: RuntimeCommand = {
  options: { all: 'flag', signal: 'value' },
  aliases: { a: 'all', s: 'signal' },
  run(context, args) {
    const [id, word] = args.rest;
    const store = openContainer(context, id);
    const signal = parseSignal(word ?? args.value('signal') ?? 'SIGTERM');
    const record = store.read();
    if (args.has('all')) {
      cgroupOf(record).kill(signal);
      return 0;
    }
    if (!signalIfAlive(record, signal)) {
      throw new OperationalError('CONTAINER_NOT_RUNNING', 'container not running');
    }
    return 0;
  },
};

/** `pause`. */
export const pause: RuntimeCommand = {
  options: {},
  run: (context, args) =>
    change(context, args.rest[0], { from: ['running', 'created'], frozen: true }),
};

/** `resume`. */
export const resume: RuntimeCommand = {
  options: {},
  run: (context, args) => change(context, args.rest[0], { from: ['paused'], frozen: false }),
};

async function change(
  context: RuntimeContext,
  id: string | undefined,
  to: { readonly from: readonly string[]; readonly frozen: boolean },
): Promise<number> {
  const store = openContainer(context, id);
  return store.exclusively(async () => {
    const record = store.read();
    const status = store.status(record);
    if (!to.from.includes(status)) {
      const word = to.frozen ? 'running' : 'paused';
      throw new OperationalError(
        'CONTAINER_NOT_RUNNING',
        `container ${quote(store.id)} is not ${word}: ${status}`,
      );
    }
    const cgroup = cgroupOf(record);
    await (to.frozen ? cgroup.freeze() : cgroup.thaw());
    return 0;
  });
}
