import { MachineGoneError } from './agent-line.js';
import { bootMachine, type BootMachineOptions, type WholeMachine } from './whole-machine.js';

/** Two machines in a row that go wrong are a fault of what is tested. */
const MAX_MACHINES = 2;

/** What a kernel says that cannot go on. */
const KERNEL_FAULT = /Oops: |Kernel panic|double fault|Attempted to kill init/;

/**
 * Runs `body` on a freshly booted whole machine. If the machine itself goes wrong in the middle – its kernel faults, its
 * line is cut, it does not answer any more – the body begins again, once, on a machine of its own. What fails on a
 * machine that still runs has failed.
 */
export async function onMachine(
  options: BootMachineOptions,
  body: (machine: WholeMachine) => Promise<void>,
): Promise<void> {
  for (let machines = 1; ; machines++) {
    await using machine = await bootMachine(options);
    try {
      await body(machine);
      return;
    } catch (error) {
      const gone = error instanceof MachineGoneError || KERNEL_FAULT.test(machine.console());
      if (!gone || machines === MAX_MACHINES) throw error;
    }
  }
}
