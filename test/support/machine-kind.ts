/** The architectures that whole machines have, in Debian's words. */
export type MachineArchitecture = 'amd64' | 'arm64';

/** What is different between whole machines of two architectures. */
export interface MachineKind {
  readonly emulator: string;
  /** Words for the emulator: the board and the processor. */
  readonly board: readonly string[];
  /** Serial ports without their number: the console is the first, the agent's is the second. */
  readonly serial: string;
  /** What compiles programs for it on an x86-64. */
  readonly compiler: string;
}

/** What there is to know of each. */
export const machineKinds: Readonly<Record<MachineArchitecture, MachineKind>> = {
  amd64: {
    emulator: 'qemu-system-x86_64',
    // `-cpu max` gains nothing.
    board: ['-cpu', 'qemu64'],
    serial: 'ttyS',
    compiler: 'gcc',
  },
  arm64: {
    emulator: 'qemu-system-aarch64',
    board: ['-M', 'virt', '-cpu', 'cortex-a57'],
    serial: 'ttyAMA',
    compiler: 'aarch64-linux-gnu-gcc',
  },
};
