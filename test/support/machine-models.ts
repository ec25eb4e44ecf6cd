import type { MachineModel } from './whole-machine.js';

/** A machine of arm64 with the Node of its distribution, as who installs berth's package has it. */
export const armMachine: MachineModel & Required<Pick<MachineModel, 'architecture'>> = {
  suite: 'trixie',
  architecture: 'arm64',
  extra: { name: 'node', packages: ['nodejs'] },
};

/** The machines whose parts are made beforehand: others are made of these, or by the test that wants them. */
export const machineModels = [
  { suite: 'trixie', architecture: 'amd64' },
  armMachine,
] as const satisfies readonly MachineModel[];
