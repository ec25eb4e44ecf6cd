import { bootMachine, type BootMachineOptions, type WholeMachine } from './whole-machine.js';

/** About one boot in twenty meets a fault of the emulator; four machines in a row that do are something else. */
const MAX_MACHINES = 4;

/** What a machine leaves that the emulator took down: its kernel's last words, or a line that was cut. */
const EMULATOR_FAULT = /Oops: |Kernel panic|double fault|Attempted to kill init/;

/**
 * Runs `body` on a freshly booted whole machine. Emulated without hardware help, the kernel now and then faults in the
 * middle of whatever it does; the body then begins again, on a machine of its own. What fails on a machine that still
 * runs has failed.
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
      const cut = error instanceof Error && error.message === 'the line to the machine was cut';
      if (machines === MAX_MACHINES || !(cut || EMULATOR_FAULT.test(machine.console())))
        throw error;
    }
  }
}
